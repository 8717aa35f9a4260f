// All products that one may see: sought, by how they stand, by category; and the way to a new one.
import { ask, asked, complain, empty, html, icon, look, n, nothing, page, repeat, t } from "./core.js";
import { STAGES, api, content, price, productPage, sized, stage, withValues } from "./portal.js";

const wanted = new URLSearchParams(location.search);
let query = wanted.get("query") ?? "";
let only = wanted.get("stage") ?? "";
let category = wanted.get("category") ?? "";
let categories = [];
let typing = 0;

const asking = (after = null) => look(withValues("/api/v1/products", { query, stage: only, category, after, limit: 60 }));

const list = content("products", asking, (answer) => html`
  ${filters()}
  ${answer.items.length
    ? html`<div class="products">${repeat(answer.items, (each) => each.sku, brief)}</div>`
    : html`<section class="card">${empty("product", t(query || only || category ? "products.none_found" : "products.none"), t("products.none_text"))}</section>`}
  ${answer.next ? html`<p class="over"></p><button class="button" type="button" @click=${() => further(answer)}>${t("products.further")}</button>` : nothing}`);

async function further(answer) {
  try {
    const more = await asking(answer.next);
    list.value = { items: [...answer.items, ...more.items], next: more.next };
  } catch (error) {
    complain(error);
  }
}

function narrow() {
  history.replaceState(null, "", withValues("/products", { query, stage: only, category }));
  list.refresh();
}

const filters = () => html`<div class="filters">
  <input class="search" type="search" placeholder=${t("products.search")} aria-label=${t("products.search")} .value=${query}
    @input=${(event) => { query = event.target.value; clearTimeout(typing); typing = setTimeout(narrow, 180); }}>
  <select class="select" aria-label=${t("products.stage")} @change=${(event) => { only = event.target.value; narrow(); }}>
    <option value="" ?selected=${!only}>${t("products.any_stage")}</option>
    ${STAGES.map((each) => html`<option value=${each} ?selected=${only === each}>${t(`portal.stage_${each}`)}</option>`)}</select>
  ${categories.length ? html`<select class="select" aria-label=${t("products.category")} @change=${(event) => { category = event.target.value; narrow(); }}>
    <option value="" ?selected=${!category}>${t("products.any_category")}</option>
    ${categories.map((each) => html`<option value=${each} ?selected=${category === each}>${each}</option>`)}</select>` : nothing}
  ${page.can.hand_in ? html`<button class="button primary" type="button" @click=${add}>${icon("add")}${t("products.add")}</button>` : nothing}
</div>`;

const brief = (each) => html`<a class="product" href=${productPage(each.sku)}>
  <span class="pack ${each.photo_url ? "" : "none"}">${each.photo_url ? html`<img src=${sized(each.photo_url, 320)} alt="" loading="lazy">` : icon("photo")}
    ${each.most_alike ? html`<span class="chip warn" title=${t("portal.alike_to", { name: each.most_alike.name })}>${icon("compare")}${t("portal.alike")}</span>` : nothing}</span>
  <div><span class="strong cut">${each.name}</span>
    <span class="soft small cut">${each.sku}${each.category ? html` · ${each.category}` : nothing}</span>
    <span class="row">${stage(each.stage)}</span>
    <span class="row soft small between"><span class="number">${n("products.photos", each.good_photos)}</span><span class="amount">${price(each)}</span></span></div></a>`;

async function add() {
  const said = await asked((leave) => html`<form><h2 id="dialog-title">${t("products.add")}</h2>
    <label class="field"><span>${t("product.name")}</span><input name="name" required maxlength="200" autocomplete="off"></label>
    <label class="field"><span>${t("product.sku")}</span><input name="sku" required maxlength="64" pattern="[0-9A-Za-z][0-9A-Za-z._\\-]*" autocomplete="off" autocapitalize="none" spellcheck="false"><small class="soft">${t("product.sku_help")}</small></label>
    <div class="row align-end"><label class="field grow"><span>${t("product.price")}</span><input name="price" inputmode="decimal" pattern="[0-9]{1,10}(\\.[0-9]{1,4})?" autocomplete="off"></label>
      <label class="field"><span>${t("product.currency")}</span><input name="currency" value=${page.currency} maxlength="3" size="4" pattern="[A-Z]{3}"></label></div>
    <label class="field"><span>${t("product.category")}</span><input name="category" list="categories" maxlength="64" pattern="[0-9A-Za-z][0-9A-Za-z._\\-]*" autocomplete="off"><datalist id="categories">${categories.map((each) => html`<option value=${each}></option>`)}</datalist><small class="soft">${t("product.category_help")}</small></label>
    <p class="soft small">${t("products.add_help")}</p>
    <div class="actions"><button class="button quiet" type="button" @click=${leave}>${t("common.cancel")}</button><button class="button primary" value="yes">${t("products.add_go")}</button></div></form>`);
  if (!said) return;
  const fields = { name: said.name };
  if (said.price) Object.assign(fields, { price: said.price, currency: said.currency });
  if (said.category) fields.category = said.category;
  try {
    await ask("PUT", api.product(said.sku), fields);
    location.assign(productPage(said.sku));
  } catch (error) {
    complain(error);
  }
}

list.refresh();
if (page.can.operate) look("/api/v1/categories").then((found) => { categories = found.map((each) => each.category); list.show(); }).catch(complain);
if (wanted.has("add") && page.can.hand_in) add();
