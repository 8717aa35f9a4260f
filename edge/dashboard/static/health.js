// How the device is, in plain words: what is wrong and what to do first, the parts of it below.
import { bytes, failed, html, icon, look, nothing, number, percent, render, repeat, span, t } from "./core.js";
import { trouble } from "./troubles.js";

const EVERY_MS = 3000;
const place = document.getElementById("health");
let health = null;
let stats = null;
let error = null;

async function refresh() {
  if (document.hidden) return;
  try {
    [health, stats] = await Promise.all([look("/api/v1/health"), look("/api/v1/stats")]);
    error = null;
  } catch (refused) {
    error = refused;
  }
  show();
}

const wrong = (each) => {
  const words = trouble(each);
  return html`<li class="card trouble-card ${each.level}">${icon("alert")}<div class="grow stack">
    <div><h3>${words.what}</h3><p>${words.to_do}</p></div>
    ${each.reason ? html`<p class="soft small break">${t("health.device_says")} <span lang="en">${each.reason}</span></p>` : nothing}
    ${each.code.startsWith("camera_") ? html`<p><a class="button" href="/cameras/${encodeURIComponent(each.about)}">${t("health.see_camera")}</a></p>` : nothing}</div></li>`;
};

const lead = () => {
  const kind = health.level === "well" ? "good" : health.level === "watch" ? "warn" : "bad";
  return html`<section class="card verdict ${kind}">${icon(kind === "good" ? "check" : "alert")}<div><h2>${t(`health.${health.level}`)}</h2><p>${t(`health.${health.level}_text`)}</p></div></section>`;
};

const worker = (each) => {
  const kind = ["working", "ended", "starting"].includes(each.status) ? "" : "bad";
  return html`<tr><td>${each.name}</td><td><span class="chip ${each.status === "working" ? "good" : kind}">${t(`health.worker_${each.status}`)}</span></td><td class="end number">${each.restarts}</td></tr>`;
};

const STATUS = { running: "good", ended: "", connecting: "warn" };
const camera = (each) => html`<tr><td><a href="/cameras/${encodeURIComponent(each.name)}">${each.name}</a></td><td><span class="chip ${STATUS[each.status] ?? "bad"}">${t(`camera_status.${each.status}`)}</span></td>
  <td class="end number">${number(each.looked_at_fps, 1)}</td><td class="end number">${number(each.skipped_fps, 1)}</td><td class="end number">${each.reconnects}</td></tr>`;

const delivery = (each) => html`<tr><td>${t(`health.receiver_${each.receiver}`)}</td><td class="end number">${number(each.acknowledged)}</td><td class="end number">${number(each.waiting)}</td><td class="end">${each.parked ? html`<span class="chip bad">${icon("alert")}${each.parked}</span>` : html`<span class="number">0</span>`}</td></tr>`;

const device = (each) => html`<tr><td>${each.name}</td><td><span class="chip ${each.status === "well" ? "good" : each.status === "awaited" ? "warn" : "bad"}">${t(`health.device_${each.status}`)}</span></td><td class="end number">${each.answer_age_s === null ? "–" : span(each.answer_age_s)}</td><td class="end number">${each.events_waiting}</td></tr>`;

const head = (...names) => html`<thead><tr>${names.map((each, index) => html`<th scope="col" class=${index > 1 ? "end" : ""}>${each}</th>`)}</tr></thead>`;
const table = (title, names, rows) => html`<section class="card flush"><header><h2>${title}</h2></header><div class="table-wrap" tabindex="0" role="region" aria-label=${title}><table>${names}<tbody>${rows}</tbody></table></div></section>`;

function show() {
  if (error && !health) return render(failed(error, refresh), place);
  render(html`<div class="stack health-page">
    ${lead()}
    ${health.troubles.length ? html`<ul class="stack">${repeat(health.troubles, (each) => each.code + each.about, wrong)}</ul>` : nothing}
    <ul class="figures big">
      <li><strong class="number">${span(stats.uptime_s)}</strong><span>${t("health.uptime")}</span></li>
      <li><strong class="number">${number(stats.interactions)}</strong><span>${t("health.interactions")}</span></li>
      <li><strong class="number">${stats.reviewed_share === null ? "–" : percent(stats.reviewed_share)}</strong><span>${t("health.asked")}</span></li>
      <li><strong class="number">${bytes(stats.peak_memory_bytes)}</strong><span>${t("health.memory")}</span></li>
      <li><strong>${stats.version}</strong><span>${t("health.version")}</span></li>
    </ul>
    <div class="tiles wide">
      ${table(t("health.cameras"), head(t("health.name"), t("health.status"), t("health.looked"), t("health.skipped"), t("health.again")), Object.values(stats.cameras).map(camera))}
      ${health.deliveries.length ? table(t("health.deliveries"), html`<thead><tr><th scope="col">${t("health.to")}</th><th scope="col" class="end">${t("health.delivered")}</th><th scope="col" class="end">${t("health.waiting")}</th><th scope="col" class="end">${t("health.parked")}</th></tr></thead>`, health.deliveries.map(delivery)) : nothing}
      ${health.devices.length ? table(t("health.devices"), head(t("health.name"), t("health.status"), t("health.answered"), t("health.events")), health.devices.map(device)) : nothing}
      ${table(t("health.workers"), head(t("health.name"), t("health.status"), t("health.restarts")), health.workers.map(worker))}
    </div></div>`, place);
}

refresh();
setInterval(refresh, EVERY_MS);
document.addEventListener("visibilitychange", refresh);
