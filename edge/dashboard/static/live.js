// The shop as it is now: the map, what just happened, baskets as they fill, who has just left.
import { ask, asked, clock, colour, complain, dot, either, empty, html, icon, moment, money, n, nothing, page, photo, render, repeat, t, toast } from "./core.js";
import { feed } from "./feed.js";
import { trouble } from "./troubles.js";
import { FloorMap } from "./map.js";

const place = document.getElementById("live");
let state = page.state;
let selected = null;
let map = null;

function select(session) {
  if (session === selected) return;
  selected = session;
  // Later: a basket that is taken away loses the focus while it is being taken away.
  queueMicrotask(show);
}

function who(event) {
  if (!event.whose.length) return t("live.somebody");
  return either(event.whose.map((each) => each.shoppers.join(", ")));
}

const summary = () => {
  const inside = state.shoppers.filter((each) => each.role !== "staff").length;
  const watched = state.troubles.filter((each) => each.level === "watch").length;
  const worth = state.baskets.reduce((sum, each) => sum + Number(each.total), 0);
  return html`<ul class="figures">
    <li><strong class="number">${inside}</strong> ${n("live.inside", inside)}</li>
    <li><strong class="number">${state.baskets.length}</strong> ${n("live.open_baskets", state.baskets.length)}</li>
    <li><strong class="amount">${money(worth)}</strong> ${t("live.in_baskets")}</li>
    ${state.open_reviews
      ? html`<li class="asks"><a href="/review"><strong class="number">${state.open_reviews}</strong> ${n("live.to_review", state.open_reviews)}</a></li>`
      : html`<li class="settled">${icon("check")} ${t("live.nothing_to_review")}</li>`}
    ${watched ? html`<li class="watched"><a href="/health">${icon("health")} ${n("live.to_watch", watched)}</a></li>` : nothing}
  </ul>`;
};

const troubles = () => {
  const bad = state.troubles.filter((each) => each.level === "bad");
  return bad.length
    ? html`<a class="banner bad trouble" href="/health">${icon("alert")}<div class="grow"><p class="strong">${n("live.troubles", bad.length)}</p>${bad.slice(0, 3).map((each) => html`<p class="small break">${trouble(each).what}</p>`)}</div>${icon("next")}</a>`
    : nothing;
};

const line = (each) => html`<li class="line">
  <img class="thumb tiny" src=${photo(each.sku)} alt="" loading="lazy"><span class="grow cut">${each.name}</span>
  <span class="soft number">${each.quantity > 1 ? html`${each.quantity} ×` : nothing}</span><span class="amount">${money(each.total, each.currency)}</span>
</li>`;

const basket = (each) => html`<li class="basket ${colour(each.session)} ${selected === each.session ? "chosen" : ""}" tabindex="0"
    @pointerenter=${() => select(each.session)} @pointerleave=${() => select(null)} @focusin=${() => select(each.session)} @focusout=${() => select(null)}>
  <div class="row apart"><h3 class="row">${each.shoppers.map((label) => dot(each.session, label))}<span class="cut">${each.shoppers.join(", ")}</span></h3>
    <span class="amount strong total">${money(each.total, each.currency)}</span></div>
  ${each.lines.length ? html`<ul>${repeat(each.lines, (one) => one.sku, (one) => line({ ...one, currency: each.currency }))}</ul>` : html`<p class="soft small">${t("live.basket_empty")}</p>`}
  <div class="row apart basket-foot">${each.pending ? html`<a class="chip warn" href="/review">${icon("wait")}${n("live.being_checked", each.pending)}</a>` : html`<span></span>`}
    ${page.can.settle ? html`<button class="button quiet" type="button" @click=${() => end(each)}>${icon("out")}${t("live.end")}</button>` : nothing}</div>
</li>`;

/** Somebody left unseen, or cannot go on: the visit ends here, and the receipt is made. */
async function end({ session, shoppers }) {
  const said = await asked((leave) => html`<form><h2 id="dialog-title">${t("live.end_title", { who: shoppers.join(", ") })}</h2><p>${t("live.end_text")}</p>
    <div class="actions"><button class="button quiet" type="button" @click=${leave}>${t("common.cancel")}</button><button class="button primary" value="yes">${t("live.end")}</button></div></form>`);
  if (!said) return;
  try {
    await ask("POST", `/api/v1/sessions/${encodeURIComponent(session)}/close`);
    toast(t("live.ended"));
  } catch (error) {
    complain(error);
  }
}

const receipt = (each) => html`<li><a class="item" href="/receipts/${encodeURIComponent(each.session)}">
  ${dot(each.session, each.shoppers[0])}<span class="grow cut">${each.shoppers.join(", ")}
  <span class="soft small">${each.pieces ? n("live.pieces", each.pieces) : t(each.pending ? "live.nothing_so_far" : "live.bought_nothing")}</span></span>
  ${each.pending ? html`<span class="chip warn">${icon("wait")}${each.pending}<span class="sr">${n("live.being_checked", each.pending)}</span></span>` : nothing}
  <span class="amount strong">${money(each.total, each.currency)}</span></a></li>`;

const happened = (each) => {
  return html`<li class="event">
    <div class="thumbs">${each.crops.length ? best(each.crops).map((one) => html`<img class="thumb" src=${one.url} alt=${moment(one)} loading="lazy">`) : html`<span class="thumb"></span>`}</div>
    <div class="grow"><p class="row wrap"><span class="row">${icon(each.kind)}<span>${t(`live.${each.kind}`, { who: who(each), quantity: each.quantity, name: each.name ?? t("live.unknown") })}</span></span>
      ${result(each)}</p>
      <p class="soft small"><time>${clock(each.happened_at)}</time> · ${each.facing ?? each.fixture}</p></div>
  </li>`;
};

/** The two pictures that say most: what is in the hand, or the place before and after. */
function best(crops) {
  const held = crops.filter((each) => each.moment === "hand" || each.moment === "object");
  return (held.length ? held.slice(-1) : [crops[0], ...crops.slice(-1)]).slice(0, 2);
}

function result(each) {
  if (each.result === "in_review") return html`<a class="chip warn" href="/review">${icon("wait")}${t("live.in_review")}</a>`;
  return each.result === "counted" ? nothing : html`<span class="chip">${t(`live.result_${each.result}`)}</span>`;
}

function show() {
  render(
    html`
      ${troubles()}
      ${state.over ? html`<p class="banner info over">${icon("check")}${t("live.over")}</p>` : nothing}
      <div class="columns live">
        <div class="stack">
          <section class="card map-card" aria-label=${t("live.map")}>
            ${summary()}
            <svg class="map" role="img" aria-label=${t("live.map_says", { people: state.shoppers.length })}></svg>
          </section>
          <section class="card flush"><header><h2>${t("live.happened")}</h2></header>
            ${state.events.length
              ? html`<ul class="list events">${repeat(state.events, (each) => each.event_id, happened)}</ul>`
              : empty("take", t("live.nothing_happened"), t("live.nothing_happened_yet"))}
          </section>
        </div>
        <div class="stack">
          <section class="card flush"><header><h2>${t("live.baskets")}</h2></header>
            ${state.baskets.length
              ? html`<ul class="baskets">${repeat(state.baskets, (each) => each.session, basket)}</ul>`
              : empty("basket", t("live.no_baskets"), t("live.no_baskets_yet"))}
          </section>
          <section class="card flush"><header><h2>${t("live.left")}</h2><a class="small" href="/receipts">${t("live.all_receipts")}</a></header>
            ${state.receipts.length
              ? html`<ul class="list">${repeat(state.receipts.slice(0, 6), (each) => each.session, receipt)}</ul>`
              : empty("receipts", t("live.nobody_left"))}
          </section>
        </div>
      </div>`,
    place,
  );
  map ??= new FloorMap(place.querySelector(".map"), page.plan, select);
  map.show(state, selected);
}

show();
feed.listen((newest) => {
  if (!newest) return;
  state = newest;
  show();
});
