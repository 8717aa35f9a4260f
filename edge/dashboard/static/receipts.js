// Receipts, the newest first, and before them the shoppers' objections that wait for an answer.
import { ask, asked, clock, complain, day, dot, empty, failed, html, icon, look, money, n, nothing, page, render, repeat, t, toast } from "./core.js";
import { feed } from "./feed.js";

const place = document.getElementById("receipts");
let receipts = null;
let disputes = [];
let next = null;
let error = null;

async function refresh() {
  try {
    const [listed, open] = await Promise.all([look("/api/v1/receipts?limit=50"), look("/api/v1/disputes?wanted=open&limit=50")]);
    ({ items: receipts, next } = listed);
    disputes = open.items;
    error = null;
  } catch (refused) {
    error = refused;
  }
  show();
}

async function earlier() {
  try {
    const listed = await look(`/api/v1/receipts?limit=50&after=${encodeURIComponent(next)}`);
    receipts = [...receipts, ...listed.items];
    next = listed.next;
    show();
  } catch (refused) {
    complain(refused);
  }
}

async function settle(dispute, upheld) {
  const said = await asked((leave) => html`<form>
    <h2 id="dialog-title">${upheld ? t("receipts.uphold_title") : t("receipts.decline_title")}</h2>
    <p>${t(upheld ? "receipts.uphold_text" : "receipts.decline_text", { quantity: dispute.quantity, name: dispute.name, amount: money(dispute.amount, dispute.currency) })}</p>
    <label class="field"><span>${t("receipts.reason")}</span><textarea name="reason" maxlength="500"></textarea></label>
    <div class="actions"><button class="button quiet" type="button" @click=${leave}>${t("common.cancel")}</button><button class="button primary" value="yes">${upheld ? t("receipts.uphold") : t("receipts.decline")}</button></div>
  </form>`);
  if (!said) return;
  try {
    await ask("POST", `/api/v1/disputes/${encodeURIComponent(dispute.dispute_id)}/verdict`, { upheld, reason: said.reason });
    toast(t("receipts.dispute_settled"));
    refresh();
  } catch (refused) {
    complain(refused);
  }
}

const objection = (each) => html`<li class="objection">
  ${each.crops.length ? html`<img class="thumb large" src=${each.crops.at(-1).url} alt="" loading="lazy">` : html`<span class="thumb large"></span>`}
  <div class="grow"><p class="strong">${t("receipts.objection", { who: each.shoppers.join(", "), quantity: each.quantity, name: each.name })}</p>
    ${each.reason ? html`<p>${t("receipts.says", { text: each.reason })}</p>` : nothing}
    <p class="soft small"><time>${clock(each.disputed_at)}</time> · ${money(each.amount, each.currency)} · <a href="/receipts/${encodeURIComponent(each.session)}">${t("receipts.see")}</a></p></div>
  ${page.can.settle ? html`<div class="row wrap"><button class="button" type="button" @click=${() => settle(each, false)}>${t("receipts.decline")}</button><button class="button primary" type="button" @click=${() => settle(each, true)}>${t("receipts.uphold")}</button></div>` : nothing}
</li>`;

const brief = (each) => html`<li><a class="item" href="/receipts/${encodeURIComponent(each.session)}">
  ${dot(each.session, each.shoppers[0])}
  <span class="grow"><span class="strong cut">${each.shoppers.join(", ")}</span>
    <span class="soft small cut block">${each.lines.length ? each.lines.map(([name, quantity]) => (quantity > 1 ? `${quantity} × ${name}` : name)).join(", ") : t(each.pending ? "receipts.nothing_so_far" : "receipts.bought_nothing")}</span></span>
  <span class="row wrap marks">
    ${each.pending ? html`<span class="chip warn">${icon("wait")}${n("receipts.being_checked", each.pending)}</span>` : nothing}
    ${each.open_disputes ? html`<span class="chip bad">${icon("flag")}${t("receipts.disputed")}</span>` : nothing}
    ${each.refunds ? html`<span class="chip">${icon("undo")}${t("receipts.refunded")}</span>` : nothing}
    ${each.version > 1 ? html`<span class="chip">${t("receipts.version", { version: each.version })}</span>` : nothing}</span>
  <span class="when"><span class="amount strong">${money(each.total, each.currency)}</span><time class="soft small">${clock(each.closed_at)}</time></span>
  ${icon("next")}</a></li>`;

function byDay() {
  const days = new Map();
  for (const each of receipts) {
    const key = day(each.closed_at);
    days.set(key, [...(days.get(key) ?? []), each]);
  }
  return [...days];
}

function show() {
  if (error && !receipts) return render(failed(error, refresh), place);
  render(html`<div class="stack">
    ${disputes.length ? html`<section class="card flush"><header><h2>${n("receipts.disputes", disputes.length)}</h2></header><ul class="list">${repeat(disputes, (each) => each.dispute_id, objection)}</ul></section>` : nothing}
    ${receipts.length
      ? byDay().map(([name, some]) => html`<section class="card flush receipts-day"><header><h2>${name}</h2><span class="soft small">${n("receipts.count", some.length)}</span></header><ul class="list">${repeat(some, (each) => each.session, brief)}</ul></section>`)
      : html`<section class="card">${empty("receipts", t("receipts.none"), t("receipts.none_text"))}</section>`}
    ${next ? html`<button class="button" type="button" @click=${earlier}>${t("receipts.earlier")}</button>` : nothing}
  </div>`, place);
}

let known = "";
feed.listen((state) => {
  if (!state) return;
  const now = JSON.stringify([state.open_disputes, state.receipts.map((each) => [each.session, each.version, each.open_disputes])]);
  if (now !== known) refresh();
  known = now;
});
refresh();
