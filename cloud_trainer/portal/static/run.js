// One run: its curves, what came of it, what it was begun with, its files and its last words.
import { bytes, dateTime, empty, html, icon, look, nothing, page, span, t } from "./core.js";
import { curves } from "./charts.js";
import { card, content, figures, keepUp, spoken } from "./portal.js";
import { kindOf, state } from "./runs.js";

const run = content("run", () => look(`/api/v1/runs/${encodeURIComponent(page.run)}`), draw);

export const files = (some) => html`<ul class="files">${some.map((each) => html`<li><span class="grow break">${each.name}</span><span class="soft small number">${bytes(each.size_bytes)}</span><a class="button quiet" href=${each.url} download>${icon("download")}<span class="sr">${each.name}: </span>${t("portal.download")}</a></li>`)}</ul>`;

function draw(each) {
  return html`<div class="columns"><div class="stack">
    <section class="card stack"><header class="row apart wrap"><div><h2>${kindOf(each)} · ${each.category}</h2><p class="soft small"><time>${dateTime(each.began_at)}</time>${each.ended_at ? html` · ${span(each.ended_at - each.began_at)}` : nothing}</p></div>${state(each)}</header>${each.reason ? html`<p lang="en">${each.reason}</p>` : nothing}</section>
    ${each.curves.some((curve) => curve.points.length) ? html`<section class="card stack">${each.curves.map((curve) => curves(spoken(curve.name), [{ name: curve.name, points: curve.points }], { unit: curve.unit }))}</section>` : nothing}
    ${each.log.length ? card(t("run.log"), html`<pre class="log" tabindex="0" lang="en">${each.log.join("\n")}</pre>`) : nothing}</div>
  <div class="stack">${Object.keys(each.figures).length ? card(t("run.figures"), figures(each.figures)) : html`<section class="card">${empty("runs", t("run.no_figures"))}</section>`}
    ${Object.keys(each.settings).length ? card(t("run.settings"), figures(each.settings)) : nothing}
    ${each.files.length ? card(t("run.files"), files(each.files)) : nothing}
    <p><a class="button" href="/runs?side=${encodeURIComponent(each.run_id)}">${icon("compare")}${t("run.beside")}</a></p></div></div>`;
}
keepUp(run.refresh, 5000);
