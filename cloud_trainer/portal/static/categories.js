// Categories, and what the clustering proposes: a map of looks, and what would move where.
import { ask, asked, complain, empty, html, icon, look, n, nothing, number, percent, repeat, t, toast, dateTime } from "./core.js";
import { scatter } from "./charts.js";
import { card, content, keepUp, picture, productPage } from "./portal.js";

let chosen = null; // SKU on the map
let left = new Set(); // moves that are not wanted
let made = null; // when the proposal was made that ``left`` speaks of

const categories = content("categories", async () => {
  const [known, suggestion] = await Promise.all([look("/api/v1/categories"), look("/api/v1/categories/suggestion")]);
  if (suggestion.made_at !== made) { made = suggestion.made_at; left = new Set(); chosen = null; }
  return { known, suggestion };
}, draw);

async function suggest() {
  try {
    await ask("POST", "/api/v1/categories/suggestion", { categories: null });
    categories.refresh();
  } catch (error) {
    complain(error);
  }
}

const movesOf = (suggestion) => suggestion.places.filter((each) => each.category !== each.now);

async function arrange(suggestion) {
  const wanted = movesOf(suggestion).filter((each) => !left.has(each.sku));
  const said = await asked((leave) => html`<form><h2 id="dialog-title">${n("categories.arrange_title", wanted.length)}</h2><p>${t("categories.arrange_text")}</p>
    <div class="actions"><button class="button quiet" type="button" @click=${leave}>${t("common.cancel")}</button><button class="button primary" value="yes">${t("categories.arrange")}</button></div></form>`);
  if (!said) return;
  try {
    const { moved } = await ask("POST", "/api/v1/categories/arrange", { places: Object.fromEntries(wanted.map((each) => [each.sku, each.category])) });
    toast(n("categories.moved", moved));
    categories.refresh();
  } catch (error) {
    complain(error);
  }
}

const one = (each) => html`<section class="card stack"><header class="row apart wrap"><h2><a href="/products?category=${encodeURIComponent(each.category)}">${each.category}</a></h2>${each.release === null ? html`<span class="chip">${t("categories.unpublished")}</span>` : html`<span class="chip good">${icon("check")}${t("portal.release", { release: each.release })}</span>`}</header>
  <p class="counted"><span><strong>${number(each.products)}</strong> ${n("categories.products", each.products)}</span><span><strong>${number(each.live)}</strong> ${t("categories.live")}</span>${each.waiting ? html`<span><strong>${number(each.waiting)}</strong> ${t("categories.waiting")}</span>` : nothing}</p>
  <dl class="facts small">${each.enrolled_share === null ? nothing : html`<dt>${t("categories.enrolled")}</dt><dd class="number">${percent(each.enrolled_share, 1)}</dd>`}
    ${each.error_percent === null ? nothing : html`<dt>${t("categories.error")}</dt><dd class="number">${number(each.error_percent, 1)} % <span class="soft">(${n("categories.verified", each.verified)})</span></dd>`}
    ${each.published_at === null ? nothing : html`<dt>${t("categories.published")}</dt><dd><time>${dateTime(each.published_at)}</time></dd>`}</dl></section>`;

const move = (each) => html`<li><label class="row item"><input type="checkbox" .checked=${!left.has(each.sku)} @change=${() => { if (!left.delete(each.sku)) left.add(each.sku); categories.show(); }}>
  ${picture(each.photo_url, "", "thumb whole tiny")}<span class="grow cut"><a href=${productPage(each.sku)}>${each.name}</a></span><span class="soft small nowrap">${each.now || "–"}</span>${icon("next")}<span class="small strong nowrap">${each.category}</span></label></li>`;

function proposal(suggestion) {
  if (suggestion.status === "working") return card(t("categories.proposal"), html`<p class="soft" role="status">${t("categories.working")}</p><progress class="bar" aria-label=${t("categories.working")}></progress>`);
  const button = html`<button class="button" type="button" @click=${suggest}>${icon("categories")}${t(suggestion.status === "made" ? "categories.anew" : "categories.suggest")}</button>`;
  if (suggestion.status !== "made") return card(t("categories.proposal"), html`<div class="stack"><p class="soft">${suggestion.status === "failed" ? html`<span lang="en">${suggestion.reason}</span>` : t("categories.proposal_text")}</p><div>${button}</div></div>`);
  const names = [...new Set(suggestion.places.map((each) => each.category))].sort();
  const moves = movesOf(suggestion);
  const wanted = moves.filter((each) => !left.has(each.sku)).length;
  const points = suggestion.places.map((each) => ({ key: each.sku, x: each.x, y: each.y, colour: names.indexOf(each.category) % 8, title: `${each.name}: ${each.category}`, moved: each.category !== each.now }));
  const one = suggestion.places.find((each) => each.sku === chosen);
  return card(t("categories.proposal"), html`<div class="stack">
      <p class="soft">${t("categories.map_text")}${suggestion.silhouette === null ? nothing : html` ${t("categories.silhouette", { value: number(suggestion.silhouette, 2) })}`}</p>
      <div class="two"><div class="stack">${scatter(t("categories.map"), points, chosen, (sku) => { chosen = sku; categories.show(); })}
        <p class="legend small">${names.map((name, index) => html`<span><i class="swatch c${index % 8}"></i>${name}</span>`)}</p>
        ${one ? html`<p class="row">${picture(one.photo_url)}<span><span class="strong">${one.name}</span><br><span class="soft small">${one.now || "–"} → ${one.category}</span></span></p>` : nothing}</div>
      <div class="stack">${moves.length ? html`<h3>${n("categories.moves", moves.length)}</h3><ul class="list moves">${repeat(moves, (each) => each.sku, move)}</ul>
        <button class="button primary" type="button" ?disabled=${!wanted} @click=${() => arrange(suggestion)}>${n("categories.arrange_n", wanted)}</button>` : empty("check", t("categories.agrees"))}</div></div></div>`, button);
}

function draw({ known, suggestion }) {
  return html`<div class="stack"><div class="tiles">${known.length ? repeat(known, (each) => each.category, one) : html`<section class="card">${empty("categories", t("categories.none"))}</section>`}</div>${proposal(suggestion)}</div>`;
}
keepUp(() => { if (!document.querySelector("dialog[open]")) categories.refresh(); }, 3000);
