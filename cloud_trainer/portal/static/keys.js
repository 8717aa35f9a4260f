// For how long what is kept, and who signs what devices run. For admins.
import { ask, complain, day, html, icon, look, n, t, toast } from "./core.js";
import { card, content } from "./portal.js";

const SOON_DAYS = 14;
const ICONS = { open: "check", locked: "key", away: "out" };
const keys = content("keys", async () => {
  const [days, roles] = await Promise.all([look("/api/v1/retention"), look("/api/v1/signing")]);
  return { days, roles };
}, draw);

async function save(event) {
  event.preventDefault();
  const days = Object.fromEntries([...new FormData(event.target)].map(([name, value]) => [name, Number(value)]));
  try {
    keys.value = { ...keys.value, days: await ask("PUT", "/api/v1/retention", days) };
    toast(t("keys.saved"));
  } catch (error) {
    complain(error);
  }
}

function holds(at) {
  const left = Math.floor((at - Date.now() / 1000) / 86400);
  const [look, text] = left < 0 ? ["bad", t("keys.expired")] : [left < SOON_DAYS ? "warn" : "", n("keys.expires_in", left)];
  return html`${day(at)} <span class="chip ${look}">${text}</span>`;
}

const signer = (key) => html`<div><span class="chip ${key.state === "away" ? "" : "good"}">${icon(ICONS[key.state])}${key.name ?? t("keys.unnamed")}</span>
  <span class="soft small">${t(`keys.state_${key.state}`)} · <code title=${key.id}>${key.id.slice(0, 8)}</code></span></div>`;

const role = (each) => html`<tr><th scope="row">${each.role}</th><td class="number">${each.version}</td><td>${holds(each.expires_at)}</td>
  <td>${t("keys.needs_text", { threshold: each.threshold, count: each.keys.length })}</td><td>${each.keys.map(signer)}</td></tr>`;

const signing = (roles) => html`<div class="stack">
  <p>${t("keys.signing_text")}</p><pre>walkout-trainer keys init --out keys
walkout-trainer keys rotate ROLE --keys keys --store s3://bundles
walkout-trainer publish --refresh --store s3://bundles --keys keys</pre>
  ${roles.length ? html`<div class="table-wrap" tabindex="0" role="region" aria-label=${t("keys.signing")}><table class="side"><thead><tr>${["role", "version", "holds", "needs", "keys_column"].map((name) => html`<th scope="col">${t(`keys.${name}`)}</th>`)}</tr></thead>
    <tbody>${roles.map(role)}</tbody></table></div>` : html`<p class="soft">${t("keys.signing_none")}</p>`}
  <p class="soft small">${t("keys.tokens_text")} <a href="/people">${t("common.nav_people")}</a></p></div>`;

const retention = (days) => html`<form class="stack" @submit=${save}><p class="soft">${t("keys.retention_text")}</p>
  ${Object.entries(days).map(([name, value]) => html`<label class="field"><span>${t(`keys.${name}`)}</span><input name=${name} type="number" min="1" max="3650" required .value=${String(value)}><small class="soft">${t(`keys.${name}_text`)}</small></label>`)}
  <div><button class="button primary">${t("keys.save")}</button></div></form>`;

function draw({ days, roles }) {
  return html`<div class="stack">${card(t("keys.signing"), signing(roles))}${card(t("keys.retention"), retention(days))}</div>`;
}
keys.refresh();
