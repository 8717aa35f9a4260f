// What recognises the products, how far an update is, and what was taken back and why.
import { dateTime, empty, failed, hasText, html, icon, look, n, nothing, number, percent, render, repeat, svg, t } from "./core.js";

const EVERY_MS = 2000;
const place = document.getElementById("models");
let models = null;
let error = null;

async function refresh() {
  if (document.hidden) return;
  try {
    models = await look("/api/v1/models");
    error = null;
  } catch (refused) {
    error = refused;
  }
  show();
}

const name = (release, each) => (release === null ? each.serving?.version ?? "–" : t("models.release", { release }));

/** The way of an update, and where on it this one is. */
const way = (each) => html`<ol class="way" aria-label=${t("models.way")}>${each.steps.map((step, index) => {
  const place = index < each.step ? "past" : index === each.step ? "here" : "ahead";
  return html`<li class=${place} aria-current=${index === each.step ? "step" : nothing}><span>${t(`models.state_${step}`)}</span></li>`;
})}</ol>`;

const update = (each) => each.step === null || each.state === "done" ? nothing : html`<section class="updating" aria-label=${t("models.updating")}>
  <p class="row apart"><span class="strong">${t("models.update_to", { release: each.target_release ?? "–" })}</span><span class="soft number">${percent(each.percent / 100)}</span></p>
  <progress class="bar" max="100" value=${each.percent} aria-label=${t("models.progress")}></progress>
  ${way(each)}
  ${hasText(`models.state_${each.state}_text`) ? html`<p class="soft small">${t(`models.state_${each.state}_text`)}</p>` : nothing}
  ${each.reason ? html`<p class="soft small break" lang="en">${each.reason}</p>` : nothing}
</section>`;

const STATES = { idle: ["", "check"], done: ["good", "check"], rolled_back: ["warn", "undo"], quarantined: ["warn", "alert"] };
const state = (each) => { const [kind, sign] = STATES[each.state] ?? ["accent", "wait"]; return html`<span class="chip ${kind}">${icon(sign)}${t(`models.state_${each.state}`)}</span>`; };

const decisions = (each) => {
  const all = each.accepts + each.reviews + each.rejects;
  if (!all) return nothing;
  const parts = [["accepts", each.accepts], ["reviews", each.reviews], ["rejects", each.rejects]];
  let from = 0;
  return html`<div><p class="small soft">${n("models.decided", all)}</p>
    <svg class="parts" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">${parts.map(([kind, count]) => { const x = from; const wide = (count / all) * 100; from += wide; return svgPart(kind, x, wide); })}</svg>
    <p class="row wrap small">${parts.map(([kind, count]) => html`<span class="key ${kind}">${t(`models.${kind}`)} <span class="number strong">${percent(count / all)}</span></span>`)}</p></div>`;
};
const svgPart = (kind, x, wide) => svg`<rect class=${kind} x=${x} y="0" width=${wide} height="6" />`;

const figure = ([key, value]) => html`<dt>${key.replaceAll("_", " ")}</dt><dd class="number">${typeof value === "number" ? number(value, Number.isInteger(value) ? 0 : 3) : value ?? "–"}</dd>`;

const category = (each) => html`<section class="card stack model">
  <header class="row apart wrap"><h2>${each.category}</h2>${state(each)}</header>
  ${update(each)}
  ${each.rolled_back ? html`<div class="banner">${icon("undo")}<div><p class="strong">${t("models.rolled_back", { release: each.rolled_back.release, time: dateTime(each.rolled_back.failed_at) })}</p><p class="break" lang="en">${each.rolled_back.reason}</p></div></div>` : nothing}
  <dl class="facts">
    <dt>${t("models.serving")}</dt><dd>${name(each.release, each)}${each.swapped_at ? html` <span class="soft small">${t("models.since", { time: dateTime(each.swapped_at) })}</span>` : nothing}</dd>
    ${each.previous_release === null ? nothing : html`<dt>${t("models.previous")}</dt><dd>${t("models.release", { release: each.previous_release })}</dd>`}
    ${each.serving ? html`<dt>${t("models.products")}</dt><dd class="number">${n("models.knows", each.serving.products)}${each.serving.enrolled ? html` <span class="soft">(${n("models.enrolled", each.serving.enrolled)})</span>` : nothing}</dd>
      <dt>${t("models.made")}</dt><dd>${dateTime(each.serving.made_at)}</dd>
      <dt>${t("models.tolerated")}</dt><dd class="number">${percent(each.serving.accepted_error, 2)}</dd>` : nothing}
  </dl>
  ${decisions(each)}
  ${each.serving && Object.keys(each.serving.figures).length ? html`<details class="numbers"><summary class="small">${t("models.figures")}</summary><dl class="facts small">${Object.entries(each.serving.figures).map(figure)}</dl></details>` : nothing}
  ${each.failed.length ? html`<details class="numbers"><summary class="small">${n("models.failed", each.failed.length)}</summary><ul class="stack">${each.failed.map((one) => html`<li class="small"><p class="strong">${t("models.release", { release: one.release })} · <time>${dateTime(one.failed_at)}</time></p><p class="soft break" lang="en">${one.reason}</p></li>`)}</ul></details>` : nothing}
</section>`;

function show() {
  if (error && !models) return render(failed(error, refresh), place);
  render(html`<div class="stack">
    ${models.trouble ? html`<div class="banner">${icon("alert")}<div><p class="strong">${t("models.trouble")}</p><p class="break" lang="en">${models.trouble}</p></div></div>` : nothing}
    ${models.updated ? nothing : html`<p class="banner info">${icon("models")}${t("models.not_updated")}</p>`}
    ${models.categories.length ? html`<div class="tiles wide">${repeat(models.categories, (each) => each.category, category)}</div>` : html`<section class="card">${empty("models", t("models.none"))}</section>`}
  </div>`, place);
}

refresh();
setInterval(refresh, EVERY_MS);
document.addEventListener("visibilitychange", refresh);
