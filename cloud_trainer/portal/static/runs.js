// Runs, newest first; those that are ticked stand side by side with their curves and figures.
import { complain, dateTime, empty, hasText, html, icon, look, n, nothing, repeat, span, t } from "./core.js";
import { curves } from "./charts.js";
import { card, content, figure, keepUp, spoken, withValues } from "./portal.js";

const MOST = 4;
const details = new Map(); // run id -> run with its curves
let side = new URLSearchParams(location.search).getAll("side").slice(0, MOST);
let category = "";

export const STATES = { running: ["accent", "wait"], done: ["good", "check"], failed: ["bad", "alert"], stopped: ["warn", "pause"] };
export const state = (each) => html`<span class="chip ${STATES[each.status][0]}">${icon(STATES[each.status][1])}${t(`runs.is_${each.status}`)}</span>`;
export const kindOf = (each) => (hasText(`runs.kind_${each.kind}`) ? t(`runs.kind_${each.kind}`) : spoken(each.kind));
const one = (id) => `/api/v1/runs/${encodeURIComponent(id)}`;
const named = (each) => each.version ?? each.run_id;

const runs = document.getElementById("runs") && content("runs", async () => {
  const [listed] = await Promise.all([look(withValues("/api/v1/runs", { category, limit: 50 })), ...side.map(async (id) => details.set(id, await look(one(id))))]);
  return listed;
}, draw);

async function tick(id, on) {
  side = on ? [...side, id].slice(-MOST) : side.filter((each) => each !== id);
  history.replaceState(null, "", `/runs${side.length ? `?${new URLSearchParams(side.map((each) => ["side", each]))}` : ""}`);
  try {
    if (on && !details.has(id)) details.set(id, await look(one(id)));
  } catch (error) {
    complain(error);
  }
  runs.show();
}

async function further(listed) {
  try {
    const more = await look(withValues("/api/v1/runs", { category, limit: 50, after: listed.next }));
    runs.value = { items: [...listed.items, ...more.items], next: more.next };
  } catch (error) {
    complain(error);
  }
}

const HIGHER = /(accuracy|recall|coverage|accepted|top)/;
const LOWER = /(error|wrong|seconds|_s$|confus)/;
/** The best of several figures, where it is known which way is better. */
function best(name, values) {
  const said = values.filter((value) => typeof value === "number");
  if (said.length < 2 || said.every((value) => value === said[0])) return null;
  return LOWER.test(name) ? Math.min(...said) : HIGHER.test(name) ? Math.max(...said) : null;
}

function beside(shown) {
  const names = [...new Set(shown.flatMap((each) => Object.keys(each.figures)))];
  const settings = [...new Set(shown.flatMap((each) => Object.keys(each.settings)))].filter((name) => new Set(shown.map((each) => each.settings[name])).size > 1);
  const drawn = [...new Set(shown.flatMap((each) => each.curves.map((curve) => curve.name)))];
  const row = (name, cells) => html`<tr><th scope="row">${name}</th>${cells}</tr>`;
  return card(t("runs.side"), html`<div class="stack">
    ${drawn.length ? html`<div class="two">${drawn.map((name) => curves(spoken(name), shown.map((each) => ({ name: named(each), points: each.curves.find((curve) => curve.name === name)?.points ?? [] }))))}</div>` : nothing}
    <div class="table-wrap" tabindex="0" role="region" aria-label=${t("runs.side")}><table class="side"><thead><tr><td></td>${shown.map((each) => html`<th scope="col"><a href="/runs/${encodeURIComponent(each.run_id)}">${named(each)}</a></th>`)}</tr></thead><tbody>
      ${settings.map((name) => row(spoken(name), shown.map((each) => html`<td class="small">${each.settings[name] ?? "–"}</td>`)))}
      ${names.map((name) => { const values = shown.map((each) => each.figures[name]); const top = best(name, values); return row(spoken(name), values.map((value) => html`<td class="number ${top !== null && value === top ? "best" : ""}">${figure(name, value)}</td>`)); })}
    </tbody></table></div></div>`, html`<button class="button quiet" type="button" @click=${() => { side = []; tick("", false); }}>${t("runs.side_none")}</button>`);
}

const line = (each) => html`<tr><td><input type="checkbox" aria-label=${t("runs.tick", { name: named(each) })} .checked=${side.includes(each.run_id)} @change=${(event) => tick(each.run_id, event.target.checked)}></td>
  <td><a href="/runs/${encodeURIComponent(each.run_id)}">${named(each)}</a><br><span class="soft small">${kindOf(each)} · ${each.category}</span></td><td>${state(each)}</td>
  <td class="small nowrap"><time>${dateTime(each.began_at)}</time>${each.ended_at ? html`<br><span class="soft">${span(each.ended_at - each.began_at)}</span>` : nothing}</td><td class="small" lang="en">${each.reason}</td></tr>`;

function draw(listed) {
  const shown = side.map((id) => details.get(id)).filter(Boolean);
  const known = [...new Set(listed.items.map((each) => each.category))].sort();
  return html`<div class="stack">
    ${known.length > 1 || category ? html`<div class="choice" role="group" aria-label=${t("runs.category")}>${["", ...known].map((name) => html`<button type="button" aria-pressed=${category === name ? "true" : "false"} @click=${() => { category = name; runs.refresh(); }}>${name || t("runs.all")}</button>`)}</div>` : nothing}
    ${shown.length ? beside(shown) : nothing}
    <section class="card flush">${listed.items.length ? html`<div class="table-wrap" tabindex="0" role="region" aria-label=${t("runs.title")}><table><thead><tr><td></td>${["run", "state", "when", "why"].map((key) => html`<th scope="col">${t(`runs.${key}`)}</th>`)}</tr></thead><tbody>${repeat(listed.items, (each) => each.run_id, line)}</tbody></table></div>` : empty("runs", t("runs.none"), t("runs.none_text"))}</section>
    ${listed.items.length && !shown.length ? html`<p class="soft small">${n("runs.side_text", MOST)}</p>` : nothing}
    ${listed.next ? html`<button class="button" type="button" @click=${() => further(listed)}>${t("runs.further")}</button>` : nothing}</div>`;
}
if (runs) keepUp(runs.refresh, 10_000);
