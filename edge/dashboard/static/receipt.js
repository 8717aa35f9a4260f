// One visit: what was charged and on what evidence, what is still checked, and how it was corrected.
import { ask, asked, clock, complain, dateTime, dot, empty, failed, html, icon, look, moment, money, n, nothing, number, page, photo, render, repeat, t, toast } from "./core.js";
import { feed } from "./feed.js";

const place = document.getElementById("receipt");
const address = `/api/v1/receipts/${encodeURIComponent(page.session)}`;
let visit = null;
let chosen = null; // version; null is the newest
let error = null;

async function refresh() {
  try {
    visit = await look(address);
    error = null;
  } catch (refused) {
    error = refused;
  }
  show();
}

/** One id for one asking: a repeated request is the same refund. */
const newId = (kind) => `${kind}-${Array.from(crypto.getRandomValues(new Uint8Array(9)), (each) => each.toString(36).padStart(2, "0")).join("")}`;

async function change(kind, line, proof) {
  const words = (key, values = {}) => t(`receipts.${kind}_${key}`, values);
  const said = await asked((leave) => html`<form>
    <h2 id="dialog-title">${words("title", { name: line.name })}</h2>
    <p class="soft">${words("text")}</p>
    ${proof.returnable > 1
      ? html`<label class="field"><span>${t("receipts.pieces")}</span><input name="quantity" type="number" min="1" max=${proof.returnable} value=${proof.returnable} required></label>`
      : html`<input type="hidden" name="quantity" value="1">`}
    <label class="field"><span>${t("receipts.reason")}</span><textarea name="reason" maxlength="500" ?required=${kind === "refund"}></textarea></label>
    <div class="actions"><button class="button quiet" type="button" @click=${leave}>${t("common.cancel")}</button><button class="button primary" value="yes">${words("do")}</button></div>
  </form>`);
  if (!said) return;
  const body = { line_id: proof.line_id, quantity: Number(said.quantity), reason: said.reason };
  try {
    if (kind === "refund") await ask("POST", `${address}/refunds`, { refund_id: newId("refund"), ...body });
    else await ask("POST", "/api/v1/disputes", { session: page.session, dispute_id: newId("dispute"), ...body });
    toast(words("done"));
    refresh();
  } catch (refused) {
    complain(refused);
  }
}

async function settle(dispute, upheld) {
  try {
    await ask("POST", `/api/v1/disputes/${encodeURIComponent(dispute.dispute_id)}/verdict`, { upheld, reason: "" });
    toast(t("receipts.dispute_settled"));
    refresh();
  } catch (refused) {
    complain(refused);
  }
}

// ---------- evidence

/** Where a distance lies between sure and foreign: a scale that a glance can read. */
const scale = (numbers) => {
  const end = Math.max(numbers.th * 1.15, numbers.distance * 1.05);
  const at = (value) => Math.round((Math.min(value, end) / end) * 1000) / 10;
  const sure = at(numbers.tl);
  const foreign = at(numbers.th);
  return html`<svg class="scale" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
    <rect class="sure" x="0" y="2" width=${sure} height="4" /><rect class="unsure" x=${sure} y="2" width=${Math.max(foreign - sure, 0)} height="4" /><rect class="foreign" x=${foreign} y="2" width=${100 - foreign} height="4" />
    <rect class="here" x=${Math.max(at(numbers.distance) - 0.5, 0)} y="0" width="1" height="8" /></svg>`;
};

const figures = (numbers) => html`<details class="numbers"><summary class="small">${t("receipts.numbers")}</summary>
  ${scale(numbers)}
  <dl class="facts small">
    <dt>${t("receipts.distance")}</dt><dd class="number">${number(numbers.distance, 3)}</dd>
    <dt>${t("receipts.lead")}</dt><dd class="number">${number(numbers.margin, 3)}</dd>
    <dt>${t("receipts.thresholds")}</dt><dd class="number">${number(numbers.tl, 3)} · ${number(numbers.th, 3)}</dd>
    <dt>${t("receipts.pictures")}</dt><dd class="number">${numbers.crops}</dd>
    <dt>${t("receipts.bundle")}</dt><dd>${numbers.category} ${numbers.bundle_version} (${numbers.precision})</dd>
  </dl></details>`;

const proof = (each, line, newest) => html`<li class="proof">
  <div class="thumbs wrap">${each.crops.map((one) => html`<figure><img class="thumb large" src=${one.url} alt="" loading="lazy"><figcaption class="soft">${moment(one)}</figcaption></figure>`)}</div>
  <div class="grow">
    <p class="small"><time>${clock(each.happened_at)}</time> · ${each.facing ?? each.fixture} · ${each.camera}</p>
    <p class="soft small break" lang="en">${each.reason}</p>
    <p class="row wrap">${each.reviewer ? html`<span class="chip good">${icon("check")}${t("receipts.checked_by", { name: each.reviewer })}</span>` : nothing}</p>
    ${each.numbers ? figures(each.numbers) : nothing}
    ${newest && page.can.settle && each.returnable > 0 ? html`<p class="row wrap acts">
      <button class="button quiet" type="button" @click=${() => change("refund", line, each)}>${icon("undo")}${t("receipts.refund")}</button>
      ${each.disputes.some((id) => isOpen(id)) ? nothing : html`<button class="button quiet" type="button" @click=${() => change("dispute", line, each)}>${icon("flag")}${t("receipts.dispute")}</button>`}</p>` : nothing}
  </div></li>`;

const isOpen = (id) => visit.disputes.some((each) => each.dispute_id === id && !each.verdict);

const item = (line, currency, newest) => html`<li class="receipt-line">
  <div class="row"><img class="thumb whole white" src=${photo(line.sku)} alt="" loading="lazy">
    <div class="grow"><h3>${line.name}</h3><p class="soft small number">${line.quantity} × ${money(line.unit_price, currency)}</p></div>
    ${line.proofs.some((each) => each.disputes.some(isOpen)) ? html`<span class="chip bad">${icon("flag")}${t("receipts.disputed")}</span>` : nothing}
    <span class="amount strong">${money(line.total, currency)}</span></div>
  <ul class="proofs" aria-label=${t("receipts.evidence", { name: line.name })}>${repeat(line.proofs, (each) => each.line_id, (each) => proof(each, line, newest))}</ul>
</li>`;

const pending = (each) => html`<li class="proof">
  <div class="thumbs wrap">${each.crops.map((one) => html`<figure><img class="thumb large" src=${one.url} alt="" loading="lazy"><figcaption class="soft">${moment(one)}</figcaption></figure>`)}</div>
  <div class="grow"><p class="strong">${each.names.length ? t(`receipts.maybe_${each.kind}`, { quantity: each.quantity, name: each.names[0] }) : t(`receipts.unknown_${each.kind}`)}</p>
    <p class="soft small break" lang="en">${each.reason}</p></div></li>`;

const closing = (receipt) => html`<div class="receipt-sums">
  ${receipt.taxes.map((each) => html`<p class="row apart soft small"><span>${t(receipt.tax_included ? "receipts.tax_included" : "receipts.tax_added", { percent: number(each.percent, Number(each.percent) % 1 ? 1 : 0), net: money(each.net, receipt.currency) })}</span><span class="amount">${money(each.tax, receipt.currency)}</span></p>`)}
  <p class="row apart total"><span>${t("receipts.total")}</span><span class="amount">${money(receipt.total, receipt.currency)}</span></p></div>`;

// ---------- what became of it

function story() {
  const told = [
    { at: visit.opened_at, sign: "person", text: t("receipts.came") },
    { at: visit.brief.closed_at, sign: "out", text: t(`receipts.left_${visit.closed_by ?? "exit"}`) },
    ...visit.versions.map((each) => ({ at: each.issued_at, sign: "receipts", text: each.version === 1 ? t("receipts.issued", { amount: money(each.total, each.currency) }) : t("receipts.corrected", { version: each.version, amount: money(each.total, each.currency) }) })),
    ...visit.refunds.map((each) => ({ at: each.refunded_at, sign: "undo", text: t("receipts.refunded_by", { quantity: each.quantity, name: each.name, who: each.reviewer }), more: each.reason })),
    ...visit.disputes.flatMap((each) => [
      { at: each.disputed_at, sign: "flag", text: t("receipts.disputed_line", { quantity: each.quantity, name: each.name }), more: each.reason },
      ...(each.verdict ? [{ at: each.verdict.settled_at, sign: "check", text: t(each.verdict.upheld ? "receipts.upheld_by" : "receipts.declined_by", { name: each.name, who: each.verdict.reviewer }), more: each.verdict.reason }] : []),
    ]),
  ];
  return told.sort((one, other) => one.at - other.at);
}

const openDispute = (each) => html`<section class="card disputed" aria-label=${t("receipts.disputed")}>
  <p class="row">${icon("flag")}<span class="strong">${t("receipts.disputed_line", { quantity: each.quantity, name: each.name })}</span></p>
  ${each.reason ? html`<p>${t("receipts.says", { text: each.reason })}</p>` : nothing}
  ${page.can.settle ? html`<p class="row wrap"><button class="button" type="button" @click=${() => settle(each, false)}>${t("receipts.decline")}</button><button class="button primary" type="button" @click=${() => settle(each, true)}>${t("receipts.uphold")}</button></p>` : nothing}
</section>`;

function show() {
  if (error && !visit) return render(failed(error, refresh), place);
  const receipt = visit.versions.find((each) => each.version === chosen) ?? visit.versions[0];
  const newest = receipt === visit.versions[0];
  render(html`<div class="columns receipt">
    <article class="card paper">
      <header class="row wrap"><a class="button quiet icon-only" href="/receipts" aria-label=${t("receipts.back")}>${icon("back")}</a>
        ${visit.brief.shoppers.map((each) => dot(visit.brief.session, each))}
        <div class="grow"><h2>${visit.brief.shoppers.join(", ")}</h2><p class="soft small"><time>${dateTime(visit.opened_at)}</time> – <time>${clock(visit.brief.closed_at)}</time></p></div>
        ${visit.versions.length > 1 ? html`<div class="choice" role="group" aria-label=${t("receipts.versions")}>${visit.versions.toReversed().map((each) => html`<button type="button" aria-pressed=${each === receipt ? "true" : "false"} @click=${() => { chosen = each.version; show(); }}>${t("receipts.version", { version: each.version })}</button>`)}</div>` : nothing}
      </header>
      ${newest ? nothing : html`<p class="banner">${icon("alert")}${t("receipts.old_version")}</p>`}
      ${receipt.lines.length ? html`<ul class="receipt-lines">${repeat(receipt.lines, (each) => each.sku, (each) => item(each, receipt.currency, newest))}</ul>` : empty("receipts", t(receipt.pending.length ? "receipts.nothing_so_far" : "receipts.bought_nothing"))}
      ${closing(receipt)}
    </article>
    <div class="stack">
      ${visit.disputes.filter((each) => !each.verdict).map(openDispute)}
      ${receipt.pending.length && newest ? html`<section class="card"><header><h2>${n("receipts.being_checked", receipt.pending.length)}</h2><a class="button" href="/review">${t("receipts.to_review")}</a></header><ul class="stack">${receipt.pending.map(pending)}</ul></section>` : nothing}
      <section class="card"><header><h2>${t("receipts.story")}</h2></header>
        <ol class="story">${story().map((each) => html`<li>${icon(each.sign)}<div class="grow"><p>${each.text}</p>${each.more ? html`<p class="soft small break">${each.more}</p>` : nothing}</div><time class="soft small">${clock(each.at)}</time></li>`)}</ol>
      </section>
    </div></div>`, place);
}

let known = "";
feed.listen((state) => {
  const now = JSON.stringify(state?.receipts.find((each) => each.session === page.session) ?? "");
  if (state && now !== known) refresh();
  known = now;
});
refresh();
