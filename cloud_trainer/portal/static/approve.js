// What providers handed in, one after the other: A approves, R refuses with a reason, N leaves it for
// later. The next one is there before it is asked for.
import { ask, complain, empty, html, icon, look, n, nothing, page, render, repeat, t, toast } from "./core.js";
import { alike } from "./alike.js";
import { judged } from "./photos.js";
import { api, card, price, sized } from "./portal.js";
import { tellWaiting } from "./waiting.js";

const place = document.getElementById("approve");
const REASONS = ["photos", "wrong", "alike", "name", "few"];
const known = new Map(); // sku -> promise of {product, near}
const done = new Set(); // what was decided here; the server may not have heard of it yet
let waiting = null; // SKUs, the oldest first
let current = null; // {product, near}
let refusing = false;
let error = null;
let categories = [];

const wanted = new URLSearchParams(location.search).get("sku");

function fetched(sku) {
  if (!known.has(sku)) {
    const asking = Promise.all([look(api.product(sku)), look(api.product(sku, "/alike")).catch(() => [])]).then(([product, near]) => {
      for (const each of product.all_photos.slice(0, 12)) new Image().src = sized(each.url, 320);
      return { product, near };
    });
    asking.catch(() => known.delete(sku));
    known.set(sku, asking);
  }
  return known.get(sku);
}

async function refresh() {
  try {
    const { items } = await look("/api/v1/products?stage=waiting&limit=50");
    const found = items.map((each) => each.sku).filter((sku) => !done.has(sku));
    if (waiting === null && wanted && found.includes(wanted)) found.sort((one, other) => (other === wanted) - (one === wanted));
    // What somebody put off stays at its place; what is new comes after it.
    const before = (waiting ?? []).filter((sku) => found.includes(sku));
    waiting = [...before, ...found.filter((sku) => !before.includes(sku))];
    error = null;
    if (!current || !waiting.includes(current.product.sku)) await advance();
    else if (waiting[1]) fetched(waiting[1]);
  } catch (refused) {
    error = refused;
  }
  tellWaiting(waiting?.length ?? 0);
  show();
}

async function advance() {
  refusing = false;
  current = null;
  const [sku, next] = waiting;
  if (sku !== undefined) {
    current = await fetched(sku);
    known.delete(sku); // asked anew when it comes again
  }
  if (next) fetched(next).catch(() => {});
}

/** Go on at once; what the server says comes as it comes. */
async function decide(said, send) {
  const { product } = current;
  done.add(product.sku);
  waiting = waiting.filter((sku) => sku !== product.sku);
  tellWaiting(waiting.length);
  toast(said);
  send.catch((refused) => {
    complain(refused);
    done.delete(product.sku);
    refresh();
  });
  try {
    await advance();
  } catch (refused) {
    error = refused;
  }
  show();
  place.querySelector(".deciding")?.focus({ preventScroll: true });
  scrollTo({ top: 0 });
}

const approve = () => decide(t("approve.approved", { name: current.product.name }), ask("POST", api.product(current.product.sku, "/approve"), { revision: current.product.revision }));
const refuse = (reason) => decide(t("approve.refused", { name: current.product.name }), ask("POST", api.product(current.product.sku, "/refuse"), { reason }));
async function later() {
  waiting = [...waiting.slice(1), waiting[0]];
  await advance();
  show();
}
function askReason() {
  refusing = true;
  show();
  place.querySelector("#reason")?.focus();
}
async function arrange(category) {
  const { sku } = current.product;
  try {
    await ask("POST", "/api/v1/categories/arrange", { places: { [sku]: category } });
    current = { product: await look(api.product(sku)), near: await look(api.product(sku, "/alike")) };
  } catch (refused) {
    complain(refused);
  }
  show();
}
async function keep(photo) {
  try {
    await ask("PUT", api.photo(current.product.sku, photo.photo_id, "/kept"), { is_kept: !photo.is_kept_by_hand });
    current = { ...current, product: await look(api.product(current.product.sku)) };
  } catch (refused) {
    complain(refused);
  }
  show();
}

// ---------- how it looks

const reasonOf = (key) => t(`approve.reason_${key}`, { name: current.near[0]?.likeness.name ?? t("approve.another") });

const reasons = () => html`<form class="reasons" @submit=${(event) => { event.preventDefault(); const reason = new FormData(event.target).get("reason").trim(); if (reason) refuse(reason); }}>
  <h2>${t("approve.why")}</h2>
  ${REASONS.filter((key) => key !== "alike" || current.near.length).map((key, index) => html`<button class="button" type="button" aria-keyshortcuts=${index + 1} @click=${() => refuse(reasonOf(key))}><kbd aria-hidden="true">${index + 1}</kbd>${reasonOf(key)}</button>`)}
  <label class="field"><span>${t("approve.own_reason")}</span><textarea id="reason" name="reason" maxlength="500" @keydown=${(event) => { if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); event.target.form.requestSubmit(); } else if (/^[1-5]$/.test(event.key) && !event.target.value) { event.preventDefault(); pressReason(Number(event.key)); } }}></textarea></label>
  <div class="row apart wrap"><button class="button quiet" type="button" @click=${() => { refusing = false; show(); }}>${t("common.cancel")} <kbd aria-hidden="true">Esc</kbd></button><button class="button danger" type="submit">${t("approve.refuse")}</button></div></form>`;
const pressReason = (index) => place.querySelectorAll(".reasons > .button")[index - 1]?.click();

const decision = ({ product }) => html`<section class="card stack deciding" tabindex="-1" aria-label=${t("approve.question")}>
  <header class="row apart wrap"><h2>${product.name}</h2><span class="soft small number">${n("approve.waiting", waiting.length)}</span></header>
  <dl class="facts"><dt>${t("product.sku")}</dt><dd>${product.sku}</dd>
    <dt>${t("product.price")}</dt><dd class="amount">${price(product) || "–"}</dd>
    <dt>${t("product.category")}</dt><dd>${categories.length ? html`<select class="select" aria-label=${t("product.category")} @change=${(event) => arrange(event.target.value)}>${[...new Set([product.category, ...categories])].map((each) => html`<option value=${each} ?selected=${each === product.category}>${each || t("approve.no_category")}</option>`)}</select>` : product.category || "–"}</dd>
    <dt>${t("product.organisation")}</dt><dd>${product.organisation || "–"}</dd>
    ${product.gtin ? html`<dt>${t("product.gtin")}</dt><dd class="number">${product.gtin}</dd>` : nothing}
    <dt>${t("product.photos")}</dt><dd class="number">${t("product.good_of", { good: product.good_photos, all: product.all_photos.length })}</dd></dl>
  ${refusing ? reasons() : html`<div class="verdicts">
    <button class="button danger" type="button" aria-keyshortcuts="R" @click=${askReason}><kbd aria-hidden="true">R</kbd>${t("approve.refuse")}</button>
    <button class="button primary" type="button" aria-keyshortcuts="A" @click=${approve}><kbd aria-hidden="true">A</kbd>${t("approve.approve")}</button>
    ${waiting.length > 1 ? html`<button class="button quiet wide" type="button" aria-keyshortcuts="N" @click=${later}><kbd aria-hidden="true">N</kbd>${t("approve.later")}</button>` : nothing}</div>`}
</section>`;

const keeping = (photo) => (photo.is_good ? nothing : html`<button class="button" type="button" @click=${() => keep(photo)}>${t(photo.is_kept_by_hand ? "product.unkeep" : "product.keep")}</button>`);

function show() {
  if (waiting === null && !error) return;
  if (error && !current) {
    render(html`<section class="card">${empty("alert", t("common.failed"), error.message)}</section>`, place);
    return;
  }
  if (!current) {
    render(html`<section class="card">${empty("check", t("approve.all_done"), t("approve.all_done_text"))}</section>`, place);
    return;
  }
  const { product, near } = current;
  render(html`<div class="approving">
      <section class="card" aria-label=${t("product.photos")}><header class="narrow-only"><h2>${product.name}</h2><span class="soft small number">${n("approve.waiting", waiting.length)}</span></header><ul class="photos">${repeat(product.all_photos, (each) => each.photo_id, (each) => judged(each, { actions: keeping(each) }))}</ul></section>
      <div class="stack decide">${decision(current)}
        ${near.length ? card(t("product.alike"), near.map((each) => alike(each, product))) : html`<section class="card">${empty("check", t("approve.none_alike"))}</section>`}</div></div>
    <p class="keys soft small">${[["A", "approve"], ["R", "refuse"], ["N", "later"], ["1–5", "reason"]].map(([keys, key]) => html`<span><kbd>${keys}</kbd> ${t(`approve.key_${key}`)}</span>`)}</p>`, place);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || !current) return;
  if (event.key === "Escape" && refusing) { refusing = false; show(); return; }
  if (event.target.closest("input, textarea, select, dialog, [popover]")) return;
  const key = event.key.toLowerCase();
  if (refusing) { if (/^[1-5]$/.test(key)) pressReason(Number(key)); return; }
  if (key === "a") approve();
  else if (key === "r") { event.preventDefault(); askReason(); }
  else if (key === "n" && waiting.length > 1) later();
});

if (page.can.approve) {
  refresh();
  look("/api/v1/categories").then((found) => { categories = found.map((each) => each.category); show(); }).catch(complain);
  setInterval(() => { if (!document.hidden) refresh(); }, 4000);
}
