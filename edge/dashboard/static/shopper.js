// A shopper's own basket, asked for every second while somebody looks at it; the receipt afterwards;
// and the way to say that something on it is not right.
import { ask, asked, clock, complain, html, icon, money, n, nothing, page, render, repeat, t, time, toast, dateTime } from "./core.js";

const EVERY_MS = 1000;
const SELDOM_MS = 10000; // nothing moves any more once the visit has ended
const REASONS = ["not_taken", "put_back", "other_product", "number", "other"];
const here = `/s/${page.link}`;
const find = (id) => document.getElementById(id);

let basket = page.basket;
let tag = null;
let seenAt = Date.now() / 1000;
let reached = true;
let known = new Map(basket.lines.map((line) => [line.sku, line.quantity]));
let fresh = new Set();

// ---------- asking

let timer = 0;
function next(soon = false) {
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(look, soon ? 0 : basket.shopping ? EVERY_MS : SELDOM_MS);
}

async function look() {
  try {
    const answer = await fetch(`${here}/basket`, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
    if (answer.status === 404) return location.reload();
    if (answer.status !== 304 && !answer.ok) throw new Error(String(answer.status));
    seenAt = Date.now() / 1000;
    if (!reached) { reached = true; draw(); }
    if (answer.status !== 304) {
      tag = answer.headers.get("ETag");
      take(await answer.json());
    }
  } catch {
    if (reached) { reached = false; draw(); }
  }
  next();
}

function take(newest) {
  const before = basket;
  basket = newest;
  fresh = new Set(basket.lines.filter((line) => (known.get(line.sku) ?? 0) < line.quantity).map((line) => line.sku));
  known = new Map(basket.lines.map((line) => [line.sku, line.quantity]));
  if (before.total !== basket.total) find("told").textContent = t("shopper.updated", { total: money(basket.total, basket.currency) });
  draw();
}

document.addEventListener("visibilitychange", () => next(true));

// ---------- what is shown

const amount = (value) => money(value, basket.currency);

function draw() {
  const how = find("how");
  how.className = `chip ${!reached ? "warn" : basket.shopping ? "good" : ""}`;
  how.textContent = !reached ? t("shopper.lost", { time: clock(seenAt) }) : basket.shopping ? t("shopper.shopping") : t("shopper.left");
  document.title = `${basket.shopping ? t("shopper.title") : t("shopper.receipt_title")} · ${amount(basket.total)}`;
  render(
    html`<section class="sum"><h1>${basket.shopping ? t("shopper.total_now") : t("shopper.total")}</h1>
        <p class="amount" id="total">${amount(basket.total)}</p>
        ${basket.receipt_id ? html`<p class="soft small">${t("shopper.receipt_of", { id: basket.receipt_id, time: dateTime(basket.closed_at) })}</p>` : nothing}</section>
      ${basket.version > 1 ? html`<p class="banner info">${icon("undo")}<span>${t("shopper.corrected")}</span></p>` : nothing}
      ${basket.checking.length ? checking() : nothing}
      ${basket.lines.length ? goods() : nobodysGoods()}
      ${basket.given_back.length ? givenBack() : nothing}
      ${basket.objections.length ? objections() : nothing}`,
    find("basket"),
  );
  find("basket").removeAttribute("aria-busy");
}

const nobodysGoods = () => html`<div class="part"><div class="empty">${icon("basket")}<strong>${t("shopper.empty")}</strong>
  <p>${basket.shopping ? t("shopper.empty_text") : t("shopper.empty_receipt")}</p></div></div>`;

const goods = () => html`<div class="goods"><ul class="goods-list">${repeat(basket.lines, (line) => line.sku, good)}</ul>
  ${basket.shopping ? nothing : html`<div class="sums">
    ${basket.taxes.map((tax) => html`<div class="soft small"><span>${t(basket.tax_included ? "shopper.tax_included" : "shopper.tax_added", { percent: tax.percent, amount: amount(tax.tax) })}</span></div>`)}
    <div class="whole"><span>${t("shopper.total")}</span><span class="amount">${amount(basket.total)}</span></div></div>`}</div>`;

const good = (line) => html`<li class=${fresh.has(line.sku) ? "new" : ""} data-sku=${line.sku}>
  <img class="thumb" src="${here}/photos/${encodeURIComponent(line.sku)}.jpg" alt="" width="56" height="56" loading="lazy">
  <span class="name">${line.name}</span><span class="amount">${amount(line.total)}</span>
  <span class="what">${line.quantity > 1 ? html`<span class="many">${line.quantity} ×</span>${t("shopper.each", { price: amount(line.unit_price) })}` : nothing}</span>
  ${line.takes.every((each) => each.disputed)
    ? html`<span class="chip warn">${icon("wait")}${t("shopper.looked_at")}</span>`
    : html`<button class="button quiet" type="button" data-wrong=${line.sku} @click=${() => object(line)}>${t("shopper.wrong")}</button>`}
</li>`;

const checking = () => html`<section class="part" id="checking"><h2>${n("shopper.checking", basket.checking.length)}</h2>
  <p class="soft small">${t("shopper.checking_text")}</p>
  <ul>${basket.checking.map((each) => html`<li><span>${t(`shopper.checking_${each.kind}`, {
    names: each.names.slice(0, 3).join(" / ") || t("shopper.checking_unknown"),
    time: time(each.happened_at),
  })}</span></li>`)}</ul></section>`;

const givenBack = () => html`<section class="part"><h2>${t("shopper.given_back")}</h2>
  <ul>${basket.given_back.map((each) => html`<li><span>${t("shopper.given_back_line", { n: each.quantity, name: each.name })}</span>
    <span class="amount">${amount(each.amount)}</span><span class="soft small wide">${dateTime(each.refunded_at)}</span></li>`)}</ul></section>`;

const signs = { open: ["wait", "warn"], upheld: ["check", "good"], declined: ["cross", ""] };
const objections = () => html`<section class="part" id="objections"><h2>${t("shopper.objections")}</h2>
  <ul>${basket.objections.map((each) => html`<li><span>${t("shopper.given_back_line", { n: each.quantity, name: each.name })}</span>
    <span class="chip ${signs[each.state][1]}">${icon(signs[each.state][0])}${t(`shopper.state_${each.state}`)}</span>
    <span class="soft small wide">${each.reason}</span>${each.answer ? html`<span class="small wide">${each.answer}</span>` : nothing}</li>`)}</ul></section>`;

// ---------- objecting

const hex = () => [...crypto.getRandomValues(new Uint8Array(12))].map((each) => each.toString(16).padStart(2, "0")).join("");

async function object(line) {
  const takes = line.takes.filter((each) => !each.disputed);
  let chosen = takes.at(-1);
  let pieces = 1;
  const step = (form, by) => {
    pieces = Math.min(Math.max(1, pieces + by), chosen.quantity);
    form.querySelector("output").textContent = String(pieces);
  };
  const said = await asked((leave) => html`<form>
    <h2 id="dialog-title">${t("shopper.wrong_about", { name: line.name })}</h2>
    ${takes.length > 1 || takes[0].crops.length ? html`<fieldset><legend>${t("shopper.which")}</legend>
      ${takes.map((each) => html`<label class="tick"><input type="radio" name="line" value=${each.line_id} ?checked=${each === chosen}
        @change=${(event) => { chosen = each; step(event.target.form, 0); }}>
        <span>${n("shopper.which_take", each.quantity, { time: clock(each.happened_at) })}</span>
        ${each.crops.length ? html`<img src="${here}/crops/${each.crops[0].split("/").map(encodeURIComponent).join("/")}" alt=${t("shopper.picture_of_take", { time: clock(each.happened_at) })} width="48" height="48" loading="lazy">` : nothing}</label>`)}</fieldset>` : nothing}
    ${Math.max(...takes.map((each) => each.quantity)) > 1 ? html`<div class="field"><span>${t("shopper.pieces")}</span><div class="stepper">
      <button class="button icon-only" type="button" aria-label="-1" @click=${(event) => step(event.target.form, -1)}>−</button>
      <output>1</output>
      <button class="button icon-only" type="button" aria-label="+1" @click=${(event) => step(event.target.form, 1)}>+</button></div></div>` : nothing}
    <fieldset><legend>${t("shopper.reason")}</legend>${REASONS.map((each, place) => html`<label class="tick">
      <input type="radio" name="reason" value=${each} ?checked=${place === 0}><span>${t(`shopper.reason_${each}`)}</span></label>`)}</fieldset>
    <label class="field"><span>${t("shopper.more")}</span><textarea name="more" maxlength="400" rows="2"></textarea></label>
    <div class="actions"><button class="button" type="button" @click=${leave}>${t("shopper.cancel")}</button>
      <button class="button primary" value="yes">${t("shopper.send")}</button></div></form>`);
  if (!said) return;
  const words = [t(`shopper.reason_${said.reason}`), said.more.trim()].filter(Boolean).join(": ");
  try {
    take(await ask("POST", `${here}/disputes`, { line_id: chosen.line_id, quantity: pieces, reason: words, request_id: hex() }));
    toast(t("shopper.sent"));
  } catch (error) {
    complain(error);
  }
  next(true);
}

draw();
next(true);
