// The shelves as they are believed to stand: what to refill, what stands in a wrong place.
import { empty, failed, html, icon, look, n, nothing, number, photo, render, repeat, t } from "./core.js";
import { feed } from "./feed.js";

const place = document.getElementById("stock");
let stock = null;
let spots = new Map(); // facing -> {fixture, u_m, v_m}
let error = null;

async function refresh() {
  try {
    const [shelves, plan] = await Promise.all([look("/api/v1/stock"), spots.size ? null : look("/api/v1/plan")]);
    if (plan) spots = new Map(plan.fixtures.flatMap((each) => each.facings.map((one) => [one.name, { ...one, fixture: each.name }])));
    stock = shelves;
    error = null;
  } catch (refused) {
    error = refused;
  }
  show();
}

const LEVELS = { empty: ["bad", "alert"], low: ["warn", "wait"], well: ["good", "check"] };
const level = (each) => { const [kind, sign] = LEVELS[each.level]; return html`<span class="chip ${kind}">${icon(sign)}${t(`stock.${each.level}`)}</span>`; };

/** A fixture as whoever stands before it sees it: boards from the top, facings from the left. */
function boards(facings) {
  const rows = new Map();
  for (const each of facings) {
    const height = (spots.get(each.facing)?.v_m ?? 0).toFixed(2);
    rows.set(height, [...(rows.get(height) ?? []), each]);
  }
  return [...rows].sort(([one], [other]) => other - one).map(([, some]) => some.sort((one, other) => (spots.get(one.facing)?.u_m ?? 0) - (spots.get(other.facing)?.u_m ?? 0)));
}

const facing = (each) => html`<li class="facing level-${each.level}">
  <div class="row"><img class="thumb" src=${photo(each.sku)} alt="" loading="lazy">
    <div class="grow"><p class="cut strong small">${each.name}</p>
      <p class="small soft number">${t("stock.of", { pieces: number(each.pieces), capacity: number(each.capacity) })}</p></div>${each.level === "well" ? nothing : level(each)}</div>
  <progress class="bar ${LEVELS[each.level][0]}" max=${each.capacity} value=${each.pieces} aria-label=${t("stock.filled", { name: each.name })}></progress>
  ${stock.misplaced.filter((one) => one.facing === each.facing).map((one) => html`<span class="chip warn cut">${icon("flag")}${one.name ?? t("stock.unknown")}</span>`)}
</li>`;

const fixture = ([name, facings]) => html`<section class="card fixture"><header><h2>${name}</h2><span class="soft small">${n("stock.facings", facings.length)}</span></header>
  ${boards(facings).map((board) => html`<ul class="board">${repeat(board, (each) => each.facing, facing)}</ul>`)}</section>`;

const gap = (each) => html`<li class="item"><img class="thumb whole white" src=${photo(each.sku)} alt="" loading="lazy">
  <span class="grow"><span class="strong block cut">${each.name}</span><span class="soft small">${t("stock.at", { facing: each.facing })}</span></span>
  <span class="at-end"><span class="strong">${n("stock.bring", each.missing)}</span>${level(each)}</span></li>`;

const stray = (each) => html`<li class="item">${each.sku ? html`<img class="thumb whole white" src=${photo(each.sku)} alt="" loading="lazy">` : html`<span class="thumb"></span>`}
  <span class="grow"><span class="strong block cut">${each.name ?? t("stock.unknown")}</span>
    <span class="soft small">${each.belongs_at.length ? t("stock.move", { from: each.facing, to: each.belongs_at.join(", ") }) : t("stock.remove", { from: each.facing })}</span></span></li>`;

function show() {
  if (error && !stock) return render(failed(error, refresh), place);
  const gaps = stock.facings.filter((each) => each.level !== "well").sort((one, other) => one.pieces / one.capacity - other.pieces / other.capacity);
  const fixtures = new Map();
  for (const each of stock.facings) fixtures.set(each.fixture, [...(fixtures.get(each.fixture) ?? []), each]);
  render(html`<div class="columns stock">
    <div class="stack fixtures">${[...fixtures].map(fixture)}</div>
    <div class="stack">
      <section class="card flush"><header><h2>${t("stock.refill")}</h2>${gaps.length ? html`<span class="count">${gaps.length}</span>` : nothing}</header>
        ${gaps.length ? html`<ul class="list">${repeat(gaps, (each) => each.facing, gap)}</ul>` : empty("check", t("stock.no_gaps"))}</section>
      <section class="card flush"><header><h2>${t("stock.misplaced")}</h2>${stock.misplaced.length ? html`<span class="count">${stock.misplaced.length}</span>` : nothing}</header>
        ${stock.misplaced.length ? html`<ul class="list">${repeat(stock.misplaced, (each) => each.event_id, stray)}</ul>` : empty("check", t("stock.all_in_place"))}</section>
      <p class="soft small">${t(`stock.source_${stock.source}`)}</p>
    </div></div>`, place);
}

let known = "";
feed.listen((state) => {
  if (!state) return;
  const now = state.events[0]?.event_id + state.events[0]?.result;
  if (now !== known) refresh();
  known = now;
});
