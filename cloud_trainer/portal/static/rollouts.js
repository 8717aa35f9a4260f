// Rollouts: how far each is, what it has brought, and holding it, going on, taking it back.
import { ask, asked, complain, dateTime, empty, hasText, html, icon, look, n, nothing, number, page, repeat, t, toast } from "./core.js";
import { card, content, keepUp, parts, shares } from "./portal.js";

const LOOKS = { rolling: ["accent", "rollout"], paused: ["warn", "pause"], taking_back: ["warn", "undo"], taken_back: ["bad", "undo"], done: ["good", "check"], superseded: ["", "next"] };
const COUNTS = ["succeeded", "under_way", "failed", "waiting", "unknown"];

const rollouts = content("rollouts", async () => {
  const [all, bundles] = await Promise.all([look("/api/v1/rollouts"), look("/api/v1/bundles").catch(() => [])]);
  return { all, bundles };
}, draw);

async function change(each, what) {
  const said = await asked((leave) => html`<form><h2 id="dialog-title">${t(`rollouts.${what}_title`, { category: each.category, release: each.release })}</h2><p>${t(`rollouts.${what}_text`)}</p>
    <label class="field"><span>${t("rollouts.why")}</span><input name="reason" required maxlength="500"></label>
    <div class="actions"><button class="button quiet" type="button" @click=${leave}>${t("common.cancel")}</button><button class="button ${what === "abort" || what === "rollback" ? "danger" : "primary"}" value="yes">${t(`rollouts.${what}`)}</button></div></form>`);
  if (!said) return;
  try {
    await ask("POST", `/api/v1/rollouts/${encodeURIComponent(each.category)}/${what}`, { reason: said.reason });
    toast(t("rollouts.changed"));
  } catch (error) {
    complain(error);
  }
  rollouts.refresh();
}

async function start(bundles) {
  const can = bundles.filter((each) => each.standing === "candidate" || each.standing === "earlier");
  const said = await asked((leave) => html`<form><h2 id="dialog-title">${t("rollouts.start")}</h2>
    <label class="field"><span>${t("rollouts.bundle")}</span><select name="bundle" required>${can.map((each) => html`<option value="${each.category}/${each.release}">${each.category} · ${t("portal.release", { release: each.release })} · ${each.version}</option>`)}</select></label>
    <label class="field"><span>${t("rollouts.ring")}</span><input name="ring" autocomplete="off" pattern="[0-9A-Za-z_,\\- ]*"><small class="soft">${t("rollouts.ring_help")}</small></label>
    <label class="field"><span>${t("rollouts.percents")}</span><input name="percents" value="1, 10, 50, 100" required pattern="[0-9., ]+"></label>
    <label class="field"><span>${t("rollouts.wait")}</span><input name="minutes" type="number" min="0" max="43200" value="60" required></label>
    <div class="actions"><button class="button quiet" type="button" @click=${leave}>${t("common.cancel")}</button><button class="button primary" value="yes" ?disabled=${!can.length}>${t("rollouts.start")}</button></div></form>`);
  if (!said) return;
  const at = said.bundle.lastIndexOf("/");
  const ring = said.ring.split(/[,\s]+/).filter(Boolean);
  try {
    await ask("POST", "/api/v1/rollouts", { category: said.bundle.slice(0, at), release: Number(said.bundle.slice(at + 1)), rings: ring.length ? [ring] : [], percents: said.percents.split(/[,\s]+/).filter(Boolean).map(Number), wait_s: Number(said.minutes) * 60 });
    toast(t("rollouts.started"));
  } catch (error) {
    complain(error);
  }
  rollouts.refresh();
}

const ICONS = { pause: "pause", resume: "play", abort: "undo", rollback: "undo", retry: "play" };
const steps = (each) => html`<ol class="rings" aria-label=${t("rollouts.steps")}>${each.steps.map((step, index) => html`<li class="${each.status === "taking_back" || each.status === "taken_back" ? "back" : index < each.step || each.status === "done" ? "past" : index === each.step ? "here" : ""}" aria-current=${index === each.step ? "step" : nothing} title=${step.devices.join(", ")}>${step.name}</li>`)}</ol>`;

const one = (each) => {
  const [kind, sign] = LOOKS[each.status] ?? ["", "wait"];
  return html`<section class="card stack" aria-label=${each.category}>
    <header class="row apart wrap"><div><h2>${each.category}</h2><p class="soft small number">${each.previous ? t("rollouts.from_to", { previous: each.previous, release: each.release }) : t("portal.release", { release: each.release })}</p></div><span class="chip ${kind}">${icon(sign)}${hasText(`rollouts.is_${each.status}`) ? t(`rollouts.is_${each.status}`) : each.status}</span></header>
    ${steps(each)}
    <div>${parts(COUNTS.map((name) => [name, each[name]]))}<p class="row wrap small">${COUNTS.filter((name) => each[name]).map((name) => html`<span class="key ${name}">${t(`rollouts.${name}`)} <span class="number strong">${number(each[name])}</span></span>`)}<span class="soft">${n("rollouts.of_devices", each.devices)}</span></p></div>
    <p lang="en">${each.next || each.reason}</p>
    <div class="two"><div><p class="small strong">${t("rollouts.decisions")}</p>${shares(each.decisions)}</div><div><p class="small strong">${t("rollouts.decisions_before")}</p>${shares(each.decisions_before)}</div></div>
    ${page.can.operate && each.can.length ? html`<div class="row wrap">${each.can.map((what) => html`<button class="button ${what === "abort" || what === "rollback" ? "danger" : ""}" type="button" @click=${() => change(each, what)}>${icon(ICONS[what])}${t(`rollouts.${what}`)}</button>`)}</div>` : nothing}
    ${each.history.length ? html`<details class="more-of"><summary>${t("rollouts.history")}</summary><ul class="history">${each.history.map((line) => html`<li><time class="soft small">${dateTime(line.at)}</time><span>${line.what}${line.reason ? html` <span class="soft small" lang="en">${line.reason}</span>` : nothing}</span></li>`)}</ul></details>` : nothing}</section>`;
};

function draw({ all, bundles }) {
  return html`<div class="stack">${page.can.operate ? html`<div class="row wrap"><button class="button primary" type="button" @click=${() => start(bundles)}>${icon("play")}${t("rollouts.start")}</button></div>` : nothing}
    ${all.length ? html`<div class="tiles wide">${repeat(all, (each) => each.category, one)}</div>` : card(t("rollouts.title"), empty("rollout", t("rollouts.none"), t("rollouts.none_text")))}</div>`;
}
keepUp(() => { if (!document.querySelector("dialog[open]")) rollouts.refresh(); }, 2000);
