// Published bundles: thresholds with the errors they may make, figures, files; two of them to compare.
import { bytes, dateTime, empty, html, icon, look, n, nothing, number, repeat, t } from "./core.js";
import { content, figures, keepUp, spoken, withValues } from "./portal.js";

let ticked = [];
const LOOKS = { stable: ["good", "check"], candidate: ["accent", "rollout"], withdrawn: ["bad", "undo"], earlier: ["", "wait"] };
export const standing = (each) => html`<span class="chip ${LOOKS[each.standing][0]}">${icon(LOOKS[each.standing][1])}${t(`bundles.is_${each.standing}`)}</span>`;
export const budget = (thresholds) => html`<dl class="facts small"><dt>${t("bundles.tl")}</dt><dd class="number">${number(thresholds.tl, 3)}</dd><dt>${t("bundles.th")}</dt><dd class="number">${number(thresholds.th, 3)}</dd>${Object.entries(thresholds.budget).map(([name, value]) => html`<dt>${spoken(name)}</dt><dd class="number">${typeof value === "number" ? number(value, value < 1 ? 3 : 1) : value}</dd>`)}</dl>`;

const place = document.getElementById("bundles");
const bundles = place && content("bundles", () => look("/api/v1/bundles"), draw);

function tick(id, on) {
  ticked = on ? [...ticked, id].slice(-2) : ticked.filter((each) => each !== id);
  bundles.show();
}

const one = (each) => html`<section class="card stack" aria-label=${each.bundle_id}>
  <header class="row apart wrap"><div><h2 class="number">${t("portal.release", { release: each.release })}</h2><p class="soft small break">${each.version} · <time>${dateTime(each.created_at)}</time></p></div>${standing(each)}</header>
  <p class="counted"><span><strong>${number(each.products)}</strong> ${n("categories.products", each.products)}</span>${each.enrolled ? html`<span><strong>${number(each.enrolled)}</strong> ${t("bundles.enrolled")}</span>` : nothing}<span><strong>${bytes(each.size_bytes)}</strong></span></p>
  ${Object.keys(each.figures).length ? figures(Object.fromEntries(Object.entries(each.figures).slice(0, 5))) : nothing}
  <details class="more-of"><summary>${t("bundles.more")}</summary><div class="stack">
    <h3>${t("bundles.thresholds")}</h3>${budget(each.thresholds)}
    <h3>${t("bundles.figures")}</h3>${figures(each.figures)}
    ${Object.keys(each.remarks).length ? figures(each.remarks) : nothing}
    <dl class="facts small"><dt>${t("bundles.dimensions")}</dt><dd class="number">${each.embedding_dim}</dd><dt>${t("bundles.space")}</dt><dd>${each.space_id.slice(0, 12)}</dd><dt>${t("bundles.travels")}</dt><dd>${bytes(each.travel_bytes)}</dd></dl>
    <h3>${t("bundles.files")}</h3><ul class="files">${each.files.map((file) => html`<li><span class="grow break small">${file.name}</span><span class="soft small number">${bytes(file.size_bytes)}</span><a class="button quiet icon-only" href=${file.url} download aria-label=${t("bundles.get", { name: file.name })}>${icon("download")}</a></li>`)}</ul></div></details>
  <label class="tick small"><input type="checkbox" .checked=${ticked.includes(each.bundle_id)} @change=${(event) => tick(each.bundle_id, event.target.checked)}>${t("bundles.tick")}</label></section>`;

function draw(all) {
  if (!all.length) return html`<section class="card">${empty("models", t("bundles.none"), t("bundles.none_text"))}</section>`;
  const named = [...new Set(all.map((each) => each.category))];
  return html`<div class="stack">${named.map((category) => html`<h2>${category}</h2><div class="tiles">${repeat(all.filter((each) => each.category === category), (each) => each.bundle_id, one)}</div>`)}
    ${ticked.length ? html`<div class="picks"><span>${ticked.length < 2 ? t("bundles.one_more") : ticked.join(" · ")}</span>${ticked.length === 2 ? html`<a class="button primary" href=${withValues("/compare", { first: ticked[0], second: ticked[1] })}>${icon("compare")}${t("bundles.compare")}</a>` : nothing}</div>` : nothing}</div>`;
}
if (bundles) keepUp(bundles.refresh, 15_000);
