// For how long what is kept. For admins.
import { ask, complain, html, look, t, toast } from "./core.js";
import { card, content } from "./portal.js";

const retention = content("keys", () => look("/api/v1/retention"), draw);

async function save(event) {
  event.preventDefault();
  const days = Object.fromEntries([...new FormData(event.target)].map(([name, value]) => [name, Number(value)]));
  try {
    retention.value = await ask("PUT", "/api/v1/retention", days);
    toast(t("keys.saved"));
  } catch (error) {
    complain(error);
  }
}

function draw(days) {
  return html`<div class="two"><div>${card(t("keys.retention"), html`<form class="stack" @submit=${save}><p class="soft">${t("keys.retention_text")}</p>
    ${Object.entries(days).map(([name, value]) => html`<label class="field"><span>${t(`keys.${name}`)}</span><input name=${name} type="number" min="1" max="36500" required .value=${String(value)}><small class="soft">${t(`keys.${name}_text`)}</small></label>`)}
    <div><button class="button primary">${t("keys.save")}</button></div></form>`)}</div>
    <div>${card(t("keys.signing"), html`<div class="stack"><p>${t("keys.signing_text")}</p><pre>walkout-trainer keys init --out keys
walkout-trainer keys rotate --keys keys --store s3://bundles
walkout-trainer publish --refresh --store s3://bundles --keys keys</pre><p class="soft small">${t("keys.tokens_text")} <a href="/people">${t("common.nav_people")}</a></p></div>`)}</div></div>`;
}
retention.refresh();
