// Reviews: what was seen, what it may have been, whose it was. One key settles the usual ones.
import { clock, complain, dot, empty, failed, html, icon, look, moment, money, n, nothing, number, page, percent, photo, render, repeat, t, toast } from "./core.js";
import { feed } from "./feed.js";
import { HELD_MS, Queue } from "./queue.js";

const place = document.getElementById("review");
const CANDIDATES = 5;
const SIDE_BY_SIDE = 3;
const WIDE = matchMedia("(min-width: 44rem)");
const SIGNS = "abcdefgh";

let products = [];
let facings = new Map(); // facing -> SKU that belongs there
let settled = [];
let choice = null; // what is chosen for the review that is looked at
let takeBack = () => {};

const queue = new Queue(show, (review, verdict, answer, error) => {
  if (error) complain(error);
  refreshSettled();
});

// ---------- choosing

/** A choice as it begins: what the device saw, and whose it can only be. */
function begin(review) {
  const only = review.sessions.length === 1 ? review.sessions[0].session : undefined;
  const hand = review.crops.findIndex((each) => each.moment === "hand");
  return { review: review.review_id, quantity: review.quantity, session: only, sku: null, picture: Math.max(hand, 0), searching: false, sought: "", others: !review.sessions.length };
}

/** Who else was there: inside now, or has just left. */
function others(review) {
  const { baskets = [], receipts = [] } = feed.state ?? {};
  return [...baskets, ...receipts].filter((each) => !review.sessions.some((one) => one.session === each.session));
}
const sessionsOf = (review) => [...review.sessions, ...(choice.others ? others(review) : [])];
const nameOf = (sku) => queue.current.candidates.find((each) => each.sku === sku)?.name ?? products.find((each) => each.sku === sku)?.name ?? sku;
const labelOf = (session) => session === null ? t("review.nobody") : sessionsOf(queue.current).find((each) => each.session === session)?.shoppers.join(", ") ?? session;

function settleWhenKnown() {
  if (choice.sku === null || choice.session === undefined) return show();
  const { sku, session, quantity } = choice;
  const said = t("review.said", { quantity, name: nameOf(sku), who: labelOf(session) });
  answer({ answer: "product", sku, quantity, ...(session === null ? { nobody: true } : { session }) }, said);
}

function answer(verdict, said) {
  if (!page.can.settle) return;
  queue.answer(verdict);
  takeBack();
  takeBack = toast(said, { seconds: HELD_MS / 1000, action: { text: t("review.undo"), key: "U", act: undo } });
}

function undo() {
  takeBack();
  queue.undo();
}

const pick = (sku) => { choice.sku = sku; choice.searching = false; settleWhenKnown(); };
const give = (session) => { choice.session = session; settleWhenKnown(); };
const amount = (step) => { choice.quantity = Math.min(99, Math.max(1, choice.quantity + step)); show(); };
const nothingThere = () => answer({ answer: "nothing" }, t("review.said_nothing"));
const foreign = () => answer({ answer: "not_sold_here" }, t("review.said_foreign"));
const search = () => { choice.searching = true; show(); place.querySelector("#sought")?.focus(); };
const leaveSearch = () => { choice.searching = false; show(); };
async function notSure() {
  try {
    await queue.pass("");
    toast(t("review.passed"));
  } catch (error) {
    complain(error);
  }
}

// ---------- how it looks

const picture = (each) => html`<figure><img src=${each.url} alt=${moment(each)}><figcaption class="chip">${moment(each)}</figcaption></figure>`;

/** Few pictures side by side; of many one at a time, the others in a strip. */
const pictures = (review) => {
  if (review.crops.length && review.crops.length <= SIDE_BY_SIDE) return html`<div class="stage beside">${review.crops.map(picture)}</div>`;
  const shown = review.crops[choice.picture] ?? review.crops[0];
  return html`<div class="pictures">
    <div class="stage">${shown ? picture(shown) : empty("cameras", t("review.no_pictures"))}</div>
    ${review.crops.length > 1 ? html`<div class="strip" role="group" aria-label=${t("review.pictures")}>${review.crops.map((each, index) => html`
      <button type="button" aria-pressed=${index === choice.picture ? "true" : "false"} @click=${() => { choice.picture = index; show(); }}><img src=${each.url} alt=""><span class="small">${moment(each)}</span></button>`)}</div>` : nothing}
  </div>`;
};

const facts = (review) => {
  const belongs = facings.get(review.facing);
  return html`<details class="numbers" ?open=${WIDE.matches}><summary class="small">${t("review.facts")}</summary><dl class="facts small">
    <dt>${t("review.when")}</dt><dd><time>${clock(review.happened_at)}</time></dd>
    <dt>${t("review.where")}</dt><dd>${review.facing ?? review.fixture}${belongs ? html` <span class="soft">(${t("review.expected", { name: nameOf(belongs) })})</span>` : nothing}</dd>
    <dt>${t("review.seen_by")}</dt><dd>${review.camera}</dd>
    <dt>${t("review.because")}</dt><dd lang="en">${review.reason}</dd>
    ${review.passes.length ? html`<dt>${t("review.unsure")}</dt><dd>${review.passes.map((each) => each.reviewer).join(", ")}</dd>` : nothing}
  </dl></details>`;
};

const candidate = (each, index, review) => html`<li><button type="button" class="candidate ${choice.sku === each.sku ? "chosen" : ""}" ?disabled=${!page.can.settle}
    aria-pressed=${choice.sku === each.sku ? "true" : "false"} aria-keyshortcuts=${index + 1} @click=${() => pick(each.sku)}>
  <kbd aria-hidden="true">${index + 1}</kbd>
  <img class="thumb photo" src=${each.photos[0] ?? photo(each.sku)} alt="">
  <span class="grow"><span class="strong">${each.name}</span>
    <span class="soft small row wrap">${each.price ? html`<span class="amount">${money(each.price, each.currency)}</span>` : nothing}
      <span class="number">${each.distance === null ? t("review.by_shelf") : t("review.distance", { distance: number(each.distance, 2) })}</span>
      ${facings.get(review.facing) === each.sku ? html`<span class="chip accent">${t("review.belongs")}</span>` : nothing}</span>
  </span>
  ${each.share === null ? nothing : html`<span class="number share"><span class="sr">${t("review.share", { name: each.name })} </span>${percent(each.share)}</span>`}
</button></li>`;

const found = () => {
  const words = choice.sought.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  return products.filter((each) => words.every((word) => `${each.name} ${each.sku} ${each.category}`.toLocaleLowerCase().includes(word))).slice(0, 8);
};

const searching = () => html`<div class="searching stack">
  <label class="field"><span>${t("review.search_label")}</span>
    <input class="search" id="sought" type="search" autocomplete="off" .value=${choice.sought}
      @input=${(event) => { choice.sought = event.target.value; show(); }}
      @keydown=${(event) => { if (event.key === "Enter" && found()[0]) { event.preventDefault(); pick(found()[0].sku); } }}></label>
  <ul class="candidates">${repeat(found(), (each) => each.sku, (each) => html`<li><button type="button" class="candidate" @click=${() => pick(each.sku)}>
    <img class="thumb whole" src=${photo(each.sku)} alt=""><span class="grow strong">${each.name}</span>${each.price ? html`<span class="soft amount">${money(each.price, each.currency)}</span>` : nothing}</button></li>`)}</ul>
  ${found().length ? nothing : html`<p class="soft">${t("review.none_found")}</p>`}
  <button class="button quiet" type="button" @click=${leaveSearch}>${icon("back")}${t("review.back_to_candidates")}</button>
</div>`;

const whose = (review) => {
  const sessions = sessionsOf(review);
  const asksWho = choice.sku !== null && choice.session === undefined;
  return html`<fieldset class="whose ${asksWho ? "asks" : ""}"><legend class="strong">${asksWho ? t("review.whose_now", { name: nameOf(choice.sku) }) : t("review.whose")}</legend>
    <div class="people">${sessions.map((each, index) => html`<button type="button" class="person-choice" ?disabled=${!page.can.settle} aria-pressed=${choice.session === each.session ? "true" : "false"} @click=${() => give(each.session)}>
      ${dot(each.session, each.shoppers[0])}<span class="cut">${each.shoppers.join(", ")}</span>${sessions.length > 1 ? html`<kbd aria-hidden="true">${SIGNS[index]}</kbd>` : nothing}</button>`)}
      <button type="button" class="person-choice" ?disabled=${!page.can.settle} aria-pressed=${choice.session === null ? "true" : "false"} @click=${() => give(null)}>${t("review.nobody")}</button>
      ${!choice.others && others(review).length ? html`<button type="button" class="person-choice quiet" ?disabled=${!page.can.settle} @click=${() => { choice.others = true; show(); }}>${t("review.others")}</button>` : nothing}
    </div></fieldset>`;
};

const question = (review) => html`<section class="card question" aria-label=${t("review.question")}>
  <div class="setting">
    <fieldset class="how-many"><legend class="strong">${t("review.how_many")}</legend><div class="stepper">
      <button class="button icon-only" type="button" aria-label=${t("review.fewer")} ?disabled=${!page.can.settle || choice.quantity <= 1} @click=${() => amount(-1)}>−</button>
      <output class="number" aria-live="polite">${choice.quantity}</output>
      <button class="button icon-only" type="button" aria-label=${t("review.more")} ?disabled=${!page.can.settle} @click=${() => amount(1)}>+</button></div></fieldset>
    ${whose(review)}
  </div>
  <h2>${t(`review.what_${review.kind}`)}</h2>
  ${choice.searching ? searching() : html`
    ${review.candidates.length ? html`<ul class="candidates">${repeat(review.candidates.slice(0, CANDIDATES), (each) => each.sku, (each, index) => candidate(each, index, review))}</ul>` : html`<p class="soft">${t("review.no_candidates")}</p>`}
    <div class="answers">
      <button class="button" type="button" ?disabled=${!page.can.settle} @click=${search}><kbd aria-hidden="true">/</kbd>${t("review.search")}</button>
      <button class="button" type="button" ?disabled=${!page.can.settle} @click=${nothingThere}><kbd aria-hidden="true">0</kbd>${t(`review.nothing_${review.kind}`)}</button>
      <button class="button" type="button" ?disabled=${!page.can.settle} @click=${foreign}><kbd aria-hidden="true">X</kbd>${t("review.foreign")}</button>
      <button class="button" type="button" ?disabled=${!page.can.settle} @click=${notSure}><kbd aria-hidden="true">N</kbd>${t("review.not_sure")}</button>
    </div>`}
  ${page.can.settle ? nothing : html`<p class="banner info">${icon("key")}${t("review.only_staff")}</p>`}
</section>`;

const ended = (each) => html`<li><div class="item">
  ${each.crops.length ? html`<img class="thumb" src=${each.crops.at(-1).url} alt="" loading="lazy">` : html`<span class="thumb"></span>`}
  <span class="grow">${each.settlement.sku === null ? t("review.was_nothing") : t("review.was", { quantity: each.settlement.quantity, name: each.settlement.name })}
    <span class="soft small">${t("review.by", { name: each.settlement.reviewer, time: clock(each.settlement.settled_at) })}</span></span>
  ${each.settlement.session ? html`<a class="button quiet" href="/receipts/${encodeURIComponent(each.settlement.session)}">${t("review.see_receipt")}${icon("next")}</a>` : nothing}</div></li>`;

const KEYS = [["1–5", "candidate"], ["↑ ↓", "amount"], ["← →", "whose"], ["0", "nothing"], ["X", "foreign"], ["N", "unsure"], ["/", "search"], ["U", "undo"]];

function show() {
  const review = queue.current;
  const waiting = queue.waiting;
  if (review && choice?.review !== review.review_id) choice = begin(review);
  if (waiting === null && !queue.error) return;
  let body;
  if (waiting === null) body = failed(queue.error, () => queue.refresh());
  else if (review === null) body = html`<section class="card">${empty("check", t("review.all_done"), t("review.all_done_text"))}</section>`;
  else body = html`<div class="reviewing">
      <section class="card seen" aria-label=${t("review.seen")}>
        <header class="row apart wrap"><h2 class="row">${icon(review.kind)}${t(`why.${review.why}`)}</h2><span class="soft small number">${n("review.waiting", waiting.length)}</span></header>
        ${pictures(review)}${facts(review)}
      </section>${question(review)}</div>`;
  render(html`${body}
    ${settled.length ? html`<section class="card flush settled-lately"><header><h2>${t("review.lately")}</h2></header><ul class="list">${repeat(settled, (each) => each.review_id, ended)}</ul></section>` : nothing}
    <p class="keys soft small">${KEYS.map(([keys, key]) => html`<span>${keys.split(" ").map((one) => html`<kbd>${one}</kbd>`)} ${t(`review.key_${key}`)}</span>`)}</p>`, place);
  preload(queue.next);
}

const preloaded = new Set();
/** The pictures of what comes next are there before it does. */
function preload(review) {
  if (!review || preloaded.has(review.review_id)) return;
  preloaded.add(review.review_id);
  const photos = review.candidates.slice(0, CANDIDATES).map((each) => each.photos[0]).filter(Boolean);
  for (const address of [...review.crops.map((each) => each.url), ...photos]) new Image().src = address;
}

async function refreshSettled() {
  try {
    ({ items: settled } = await look("/api/v1/review?wanted=settled&limit=5"));
    show();
  } catch {
    // What was settled lately is extra; the queue says when the line is lost.
  }
}

// ---------- keys

function cycle(step) {
  const sessions = [...sessionsOf(queue.current).map((each) => each.session), null];
  const at = sessions.indexOf(choice.session);
  choice.session = sessions[at < 0 ? (step > 0 ? 0 : sessions.length - 1) : (at + step + sessions.length) % sessions.length];
  show();
}

const keys = {
  0: nothingThere,
  x: foreign,
  n: notSure,
  "/": search,
  arrowup: () => amount(1),
  arrowdown: () => amount(-1),
  arrowright: () => cycle(1),
  arrowleft: () => cycle(-1),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.key === "Escape" && choice?.searching) return leaveSearch();
  if (event.target.closest("input, textarea, select, dialog, [popover], #rail")) return;
  const key = event.key.toLowerCase();
  const review = queue.current;
  if (key === "u") undo();
  else if (!review || !page.can.settle || choice.searching) return;
  else if (keys[key]) { event.preventDefault(); keys[key](); }
  else if (/^[1-5]$/.test(key)) { const one = review.candidates[key - 1]; if (one) pick(one.sku); }
  else if (key === "enter" && choice.sku !== null && !event.target.closest("button, a")) settleWhenKnown();
  else if (key.length === 1 && SIGNS.includes(key)) { const one = sessionsOf(review)[SIGNS.indexOf(key)]; if (one) give(one.session); }
});
addEventListener("pagehide", () => queue.flush({ leaving: true }));

// ---------- beginning, and keeping up

let known = "";
feed.listen((state) => {
  if (!state) return;
  const now = `${state.open_reviews} ${state.events.map((each) => each.event_id + each.result).join(" ")}`;
  if (now !== known) { queue.refresh(); refreshSettled(); }
  known = now;
});
queue.refresh();
look("/api/v1/products?limit=200").then((answer) => { products = answer.items; show(); }).catch(complain);
look("/api/v1/plan").then((plan) => { facings = new Map(plan.fixtures.flatMap((each) => each.facings.map((one) => [one.name, one.sku]))); show(); }).catch(complain);
