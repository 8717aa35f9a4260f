// One product: what is said of it, its photos with their verdicts, what looks like it, where it is
// recognised, and what happened to it.
import { ask, asked, complain, dateTime, empty, hasText, html, icon, look, n, nothing, page, repeat, t, toast } from "./core.js";
import { alike } from "./alike.js";
import { Sending, dropField, isPhoto, judged, onItsWay } from "./photos.js";
import { api, card, content, keepUp, price, stage } from "./portal.js";

const { sku } = page;
const WAY = ["collecting", "waiting", "approved", "live"];
let near = null;
let leaving = false;

const product = content("product", () => look(api.product(sku)), draw);
const sending = new Sending(send, () => product.show());

async function send(item) {
  const photo = await ask("POST", `${api.product(sku, "/photos")}?name=${encodeURIComponent(item.file.name)}`, undefined, { body: item.file, headers: { "Content-Type": item.file.type || "application/octet-stream" } });
  const shown = product.value;
  if (shown && !shown.all_photos.some((each) => each.photo_id === photo.photo_id)) shown.all_photos = [...shown.all_photos, photo];
  if (sending.underWay <= 1) refresh();
}

async function refresh() {
  await product.refresh();
  try {
    near = product.value?.all_photos.length ? await look(api.product(sku, "/alike")) : [];
    product.show();
  } catch {
    near ??= [];
  }
}

async function act(method, address, body, said) {
  try {
    await ask(method, address, body);
    if (said) toast(said);
  } catch (error) {
    complain(error);
  }
  await refresh();
}

function take(files) {
  const photos = files.filter(isPhoto);
  if (photos.length < files.length) toast(n("portal.not_photos", files.length - photos.length));
  sending.add(photos);
}

async function handIn() {
  await act("POST", api.product(sku, "/hand-in"), {}, t("product.was_handed_in"));
}
async function withdraw() {
  const said = await asked((leave) => html`<form><h2 id="dialog-title">${t("product.withdraw_title", { name: product.value.name })}</h2><p>${t("product.withdraw_text")}</p>
    <label class="field"><span>${t("product.why")}</span><input name="reason" maxlength="500"></label>
    <div class="actions"><button class="button quiet" type="button" @click=${leave}>${t("common.cancel")}</button><button class="button danger" value="yes">${t("product.withdraw")}</button></div></form>`);
  if (said) act("POST", api.product(sku, "/withdraw"), { reason: said.reason }, t("product.was_withdrawn"));
}
async function edit() {
  const each = product.value;
  const said = await asked((leave) => html`<form><h2 id="dialog-title">${t("product.edit")}</h2>
    <label class="field"><span>${t("product.name")}</span><input name="name" required maxlength="200" .value=${each.name}></label>
    <div class="row align-end"><label class="field grow"><span>${t("product.price")}</span><input name="price" inputmode="decimal" pattern="[0-9]{1,10}(\\.[0-9]{1,4})?" .value=${each.price ?? ""}></label>
      <label class="field"><span>${t("product.currency")}</span><input name="currency" maxlength="3" size="4" pattern="[A-Z]{3}" .value=${each.currency ?? page.currency}></label></div>
    <label class="field"><span>${t("product.gtin")}</span><input name="gtin" inputmode="numeric" maxlength="14" .value=${each.gtin ?? ""}></label>
    <label class="field"><span>${t("product.view_group")}</span><input name="view_group" maxlength="200" .value=${each.view_group ?? ""}><small class="soft">${t("product.view_group_help")}</small></label>
    <div class="actions"><button class="button quiet" type="button" @click=${leave}>${t("common.cancel")}</button><button class="button primary" value="yes">${t("product.save")}</button></div></form>`);
  if (!said) return;
  const fields = { name: said.name, category: each.category || null, gtin: said.gtin || null, view_group: said.view_group || null, price: said.price || null, currency: said.price ? said.currency : null };
  act("PUT", api.product(sku), fields, t("product.saved"));
}

// ---------- how it looks

const journey = (each) => {
  if (each.stage === "withdrawn" || each.stage === "withdrawing") return nothing;
  const at = WAY.indexOf(each.stage === "refused" ? "waiting" : each.stage);
  return html`<ol class="journey" aria-label=${t("product.way")}>${WAY.map((name, index) => html`<li class=${each.stage === "refused" && index === at ? "stopped" : index < at ? "past" : index === at ? "here" : ""} aria-current=${index === at ? "step" : nothing}>${t(`portal.stage_${each.stage === "refused" && index === at ? "refused" : name}`)}</li>`)}</ol>`;
};

const standing = (each) => html`<section class="card stack">
  <header class="row apart wrap"><h2>${t("product.standing")}</h2>${stage(each.stage)}</header>
  ${journey(each)}
  ${each.reason ? html`<p class=${each.stage === "refused" ? "banner bad" : "soft"} lang="en">${each.stage === "refused" ? icon("alert") : nothing}<span>${each.reason}</span></p>` : nothing}
  ${each.needs_photos && each.can.includes("change") ? html`<p class="soft">${n("product.needs", each.needs_photos)}</p>` : nothing}
  <div class="row wrap">
    ${each.can.includes("hand_in") ? html`<button class="button primary" type="button" ?disabled=${each.needs_photos > 0 || sending.underWay > 0} @click=${handIn}>${icon("take")}${t("product.hand_in")}</button>` : nothing}
    ${each.can.includes("approve") ? html`<a class="button primary" href="/approve?sku=${encodeURIComponent(sku)}">${icon("approve")}${t("product.judge")}</a>` : nothing}
    ${each.can.includes("withdraw") ? html`<button class="button danger" type="button" @click=${withdraw}>${t("product.withdraw")}</button>` : nothing}
  </div></section>`;

const facts = (each) => html`<section class="card"><header><h2>${t("product.facts")}</h2>${each.can.includes("change") ? html`<button class="button quiet" type="button" @click=${edit}>${t("product.edit")}</button>` : nothing}</header>
  <dl class="facts"><dt>${t("product.sku")}</dt><dd>${each.sku}</dd>
    <dt>${t("product.price")}</dt><dd class="amount">${price(each) || "–"}</dd>
    <dt>${t("product.category")}</dt><dd>${each.category || "–"}</dd>
    ${each.gtin ? html`<dt>${t("product.gtin")}</dt><dd class="number">${each.gtin}</dd>` : nothing}
    ${each.view_group ? html`<dt>${t("product.view_group")}</dt><dd>${each.view_group}</dd>` : nothing}
    ${each.organisation ? html`<dt>${t("product.organisation")}</dt><dd>${each.organisation}</dd>` : nothing}</dl></section>`;

const actions = (photo, each) => {
  const keep = () => act("PUT", api.photo(sku, photo.photo_id, "/kept"), { is_kept: !photo.is_kept_by_hand });
  return {
    remove: each.can.includes("change") ? () => act("DELETE", api.photo(sku, photo.photo_id)) : null,
    actions: each.can.includes("approve") && !photo.is_good ? html`<button class="button" type="button" @click=${keep}>${t(photo.is_kept_by_hand ? "product.unkeep" : "product.keep")}</button>` : nothing,
  };
};

const photos = (each) => html`<section class="card stack" aria-label=${t("product.photos")}>
  <header class="row apart wrap"><h2>${t("product.photos")}</h2><span class="soft small number">${t("product.good_of", { good: each.good_photos, all: each.all_photos.length })}</span></header>
  ${each.can.includes("change") ? dropField(take, { title: t("product.drop"), text: t("product.drop_text") }) : nothing}
  ${each.all_photos.length + sending.waiting.length ? html`<ul class="photos">${repeat(each.all_photos, (one) => one.photo_id, (one) => judged(one, actions(one, each)))}${repeat(sending.waiting, (one) => one.url, (one) => onItsWay(one, sending))}</ul>` : each.can.includes("change") ? nothing : empty("photo", t("product.no_photos"))}
</section>`;

const liveIn = (each) => (each.live_in.length ? card(t("product.live_in"), html`<ul class="list">${each.live_in.map((one) => html`<li class="item on-one">
  <i class="signal ${one.is_online ? "" : "silent"}"></i><span class="grow cut">${one.device}</span><span class="soft small number">${one.release === null ? "–" : t("portal.release", { release: one.release })}</span>
  ${one.has_product ? html`<span class="chip good">${icon("check")}${t("product.recognised")}</span>` : html`<span class="chip">${icon("wait")}${t("product.not_yet")}</span>`}</li>`)}</ul>`, html`<span class="soft small number">${t("product.live_of", { live: each.live_in.filter((one) => one.has_product).length, all: each.live_in.length })}</span>`) : nothing);

const happened = (each) => (each.history.length ? card(t("product.history"), html`<ul class="history">${each.history.map((one) => html`<li><time class="soft small">${dateTime(one.at)}</time><span>${hasText(`product.did_${one.what}`) ? t(`product.did_${one.what}`, { who: one.who }) : `${one.who}: ${one.what}`}${one.about ? html` <span class="soft small" lang="en">${one.about}</span>` : nothing}</span></li>`)}</ul>`) : nothing);

const heading = document.querySelector("h1");
function draw(each) {
  if (heading.textContent !== each.name) heading.textContent = each.name;
  return html`<div class="columns">
    <div class="stack">${photos(each)}
      ${near?.length ? card(t("product.alike"), near.map((one) => alike(one, each))) : nothing}</div>
    <div class="stack">${standing(each)}${facts(each)}${liveIn(each)}${happened(each)}</div>
  </div>`;
}

addEventListener("pagehide", () => { leaving = true; });
keepUp(() => { if (!sending.underWay && !leaving && !document.querySelector("dialog[open]")) refresh(); }, 4000);
addEventListener("beforeunload", (event) => { if (sending.underWay) event.preventDefault(); });
