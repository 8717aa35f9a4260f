// Two bundles on the same photos: what each made of them, and the photos on which they differ.
import { empty, html, icon, look, n, nothing, number, percent, repeat, t } from "./core.js";
import { budget, standing } from "./bundles.js";
import { card, content, figure, parts, productPage, sized, spoken, withValues } from "./portal.js";

const wanted = new URLSearchParams(location.search);
const [first, second] = [wanted.get("first"), wanted.get("second")];
const OUTCOMES = [["accepted", "right"], ["review", "doubt"], ["wrong", "mistaken"], ["rejected", "away"]];

async function read() {
  if (first && second) return { comparison: await look(withValues("/api/v1/compare", { first, second })) };
  return { bundles: await look("/api/v1/bundles") };
}
const compare = content("compare", read, draw);

const side = (bundle, outcomes, other) => html`<section class="card stack" aria-label=${bundle.bundle_id}><header class="row apart wrap"><div><h2>${bundle.bundle_id}</h2><p class="soft small break">${bundle.version}</p></div>${standing(bundle)}</header>
  ${parts(OUTCOMES.map(([name, kind]) => [kind, outcomes[name]]))}
  <dl class="facts">${OUTCOMES.map(([name, kind]) => { const by = outcomes[name] - other[name]; return html`<dt><span class="key ${kind}">${t(`compare.${name}`)}</span></dt><dd class="number"><span class="strong">${percent(outcomes[name] / (outcomes.photos || 1), 1)}</span> <span class="soft">${number(outcomes[name])}${by ? ` (${by > 0 ? "+" : "−"}${number(Math.abs(by))})` : ""}</span></dd>`; })}
    ${outcomes.unknown ? html`<dt>${t("compare.unknown")}</dt><dd class="number">${number(outcomes.unknown)}</dd>` : nothing}</dl>
  <details class="more-of"><summary>${t("bundles.thresholds")}</summary>${budget(bundle.thresholds)}</details></section>`;

const difference = (each) => html`<li class="difference"><a href=${productPage(each.sku)}><img src=${sized(each.photo_url, 320)} alt=${each.sku} loading="lazy"></a>
  <p class="small"><span class="strong">${each.sku}</span><br>${each.first}<br>${icon("next")}<span class="sr">${t("compare.then")}</span> ${each.second}</p></li>`;

const both = (one, other) => {
  const names = [...new Set([...Object.keys(one.figures), ...Object.keys(other.figures)])];
  return names.length ? card(t("bundles.figures"), html`<div class="table-wrap" tabindex="0" role="region" aria-label=${t("bundles.figures")}><table class="side"><thead><tr><td></td><th scope="col">${one.bundle_id}</th><th scope="col">${other.bundle_id}</th></tr></thead><tbody>${names.map((name) => html`<tr><th scope="row">${spoken(name)}</th><td class="number">${figure(name, one.figures[name])}</td><td class="number">${figure(name, other.figures[name])}</td></tr>`)}</tbody></table></div>`) : nothing;
};

function choose(bundles) {
  if (bundles.length < 2) return html`<section class="card">${empty("compare", t("compare.too_few"), t("compare.too_few_text"))}</section>`;
  const field = (name, at) => html`<label class="field"><span>${t(`compare.${name}`)}</span><select name=${name}>${bundles.map((each, index) => html`<option value=${each.bundle_id} ?selected=${index === at}>${each.bundle_id} · ${each.version}</option>`)}</select></label>`;
  return card(t("compare.choose"), html`<form class="stack" action="/compare">${field("first", 1)}${field("second", 0)}<div><button class="button primary">${icon("compare")}${t("bundles.compare")}</button></div></form>`, nothing, "narrow");
}

function draw({ comparison, bundles }) {
  if (bundles) return choose(bundles);
  const { status, done, photos } = comparison;
  if (status === "working") setTimeout(compare.refresh, 700);
  return html`<div class="stack">
    ${status === "working" ? html`<section class="card stack" role="status"><p>${t("compare.working", { done: number(done), all: number(photos) })}</p><progress class="bar" max=${Math.max(1, photos)} value=${done} aria-label=${t("compare.title")}></progress></section>` : nothing}
    ${status === "failed" ? html`<p class="banner bad" role="alert">${icon("alert")}<span lang="en">${comparison.reason}</span></p>` : nothing}
    <div class="two">${side(comparison.first, comparison.first_outcomes, comparison.second_outcomes)}${side(comparison.second, comparison.second_outcomes, comparison.first_outcomes)}</div>
    ${both(comparison.first, comparison.second)}
    ${status === "made" ? card(n("compare.differences", comparison.differences.length), comparison.differences.length ? html`<ul class="differences">${repeat(comparison.differences, (each) => each.photo_url, difference)}</ul>` : empty("check", t("compare.agree"))) : nothing}</div>`;
}
compare.refresh();
