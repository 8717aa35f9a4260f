// Who may come in, and what programs may ask: people, their roles, and tokens. For admins.
import { ask, asked, complain, dateTime, empty, failed, html, icon, look, nothing, page, render, repeat, t, toast } from "./core.js";

const ROLES = page.roles;
const SCOPES = page.scopes;
const place = document.getElementById("people");
let people = null;
let tokens = [];
let error = null;

async function refresh() {
  try {
    const [some, others] = await Promise.all([look("/api/v1/people"), look("/api/v1/tokens")]);
    people = some.people;
    tokens = others.tokens;
    error = null;
  } catch (refused) {
    error = refused;
  }
  show();
}

async function act(method, address, body) {
  try {
    const answer = await ask(method, address, body);
    await refresh();
    return answer;
  } catch (refused) {
    complain(refused);
    return null;
  }
}

/** A secret that is shown this once. */
const tell = (title, text, secret) => asked((leave) => html`<form>
  <h2 id="dialog-title">${title}</h2><p>${text}</p>
  <p class="secret" tabindex="0">${secret}</p>
  <div class="actions"><button class="button" type="button" @click=${() => navigator.clipboard?.writeText(secret).then(() => toast(t("people.copied")))}>${t("people.copy")}</button><button class="button primary" type="button" @click=${leave}>${t("people.noted")}</button></div></form>`);

const sure = (title, text, yes) => asked((leave) => html`<form><h2 id="dialog-title">${title}</h2><p>${text}</p>
  <div class="actions"><button class="button quiet" type="button" @click=${leave}>${t("common.cancel")}</button><button class="button danger" value="yes">${yes}</button></div></form>`);

/** Where the application knows organisations: whose products somebody hands in. */
const organisation = () => page.organisations
  ? html`<label class="field"><span>${t("people.organisation")}</span><input name="organisation" maxlength="64" pattern="[a-z0-9][a-z0-9._\\-]*" autocomplete="off" autocapitalize="none" spellcheck="false"><small class="soft">${t("people.organisation_help")}</small></label>`
  : nothing;

async function add() {
  const said = await asked((leave) => html`<form><h2 id="dialog-title">${t("people.add")}</h2>
    <label class="field"><span>${t("people.name")}</span><input name="name" required maxlength="64" pattern="[a-z0-9][a-z0-9._\\-]*" autocomplete="off" autocapitalize="none" spellcheck="false"><small class="soft">${t("people.name_help")}</small></label>
    <fieldset class="field"><legend class="strong">${t("people.role")}</legend>${ROLES.map((role) => html`<label class="tick"><input type="radio" name="role" value=${role} ?checked=${role === ROLES[1]}><span><span class="strong">${t(`common.role_${role}`)}</span><br><span class="soft small">${t(`people.may_${role}`)}</span></span></label>`)}</fieldset>
    ${organisation()}
    <div class="actions"><button class="button quiet" type="button" @click=${leave}>${t("common.cancel")}</button><button class="button primary" value="yes">${t("people.add")}</button></div></form>`);
  if (!said) return;
  if (!said.organisation) delete said.organisation;
  const answer = await act("POST", "/api/v1/people", said);
  if (answer) tell(t("people.added", { name: answer.name }), t("people.password_once"), answer.password);
}

const one = (name) => `/api/v1/people/${encodeURIComponent(name)}`;
async function newPassword({ name }) {
  if (!(await sure(t("people.new_password"), t("people.new_password_text", { name }), t("people.new_password")))) return;
  const answer = await act("PATCH", one(name), { password: true });
  if (answer) tell(t("people.new_password"), t("people.password_once"), answer.password);
}
async function remove({ name }) {
  if (await sure(t("people.remove_title", { name }), t("people.remove_text"), t("people.remove"))) act("DELETE", one(name));
}

async function addToken() {
  const said = await asked((leave) => html`<form><h2 id="dialog-title">${t("people.add_token")}</h2>
    <label class="field"><span>${t("people.token_name")}</span><input name="name" required maxlength="64" pattern="[0-9A-Za-z][0-9A-Za-z ._\\-]*" autocomplete="off" autocapitalize="none" spellcheck="false"></label>
    <fieldset class="field"><legend class="strong">${t("people.scopes")}</legend>${SCOPES.map((scope) => html`<label class="tick"><input type="checkbox" name=${`scope-${scope}`} value=${scope}><span><span class="strong">${scope}</span> <span class="soft small">${t(`people.scope_${scope}`)}</span></span></label>`)}</fieldset>
    ${organisation()}
    <div class="actions"><button class="button quiet" type="button" @click=${leave}>${t("common.cancel")}</button><button class="button primary" value="yes">${t("people.add_token")}</button></div></form>`);
  if (!said) return;
  const scopes = SCOPES.filter((scope) => said[`scope-${scope}`]);
  const of = said.organisation ? { organisation: said.organisation } : {};
  const answer = await act("POST", "/api/v1/tokens", { name: said.name, scopes, ...of });
  if (answer) tell(t("people.token_added"), t("people.token_once"), answer.token);
}
async function revoke(token) {
  if (await sure(t("people.revoke_title", { name: token.name }), t("people.revoke_text"), t("people.revoke"))) act("DELETE", `/api/v1/tokens/${encodeURIComponent(token.token_id)}`);
}

const seen = (at, never) => (at ? html`<time>${dateTime(at)}</time>` : html`<span class="soft">${never}</span>`);

const person = (each) => html`<tr><td><span class="strong">${each.name}</span>${each.organisation ? html` <span class="chip">${each.organisation}</span>` : nothing}${each.name === page.me.name ? html` <span class="chip accent">${t("people.you")}</span>` : nothing}</td>
  <td><select class="select" aria-label=${t("people.role_of", { name: each.name })} ?disabled=${each.name === page.me.name} @change=${(event) => act("PATCH", one(each.name), { role: event.target.value })}>${ROLES.map((role) => html`<option value=${role} ?selected=${role === each.role}>${t(`common.role_${role}`)}</option>`)}</select></td>
  <td class="small">${seen(each.last_seen_at, t("people.never"))}</td>
  <td class="end"><span class="row acts-row"><button class="button quiet" type="button" @click=${() => newPassword(each)}>${icon("key")}${t("people.new_password")}</button>
    <button class="button quiet" type="button" ?disabled=${each.name === page.me.name} @click=${() => remove(each)}>${icon("cross")}${t("people.remove")}</button></span></td></tr>`;

const token = (each) => html`<tr><td class="strong">${each.name}</td><td><span class="row wrap">${each.scopes.map((scope) => html`<span class="chip">${scope}</span>`)}</span></td>
  <td class="small">${seen(each.last_used_at, t("people.never"))}</td><td class="end"><button class="button quiet" type="button" @click=${() => revoke(each)}>${icon("cross")}${t("people.revoke")}</button></td></tr>`;

function show() {
  if (error && !people) return render(failed(error, refresh), place);
  render(html`<div class="stack">
    <section class="card flush"><header><h2>${t("people.people")}</h2><button class="button primary" type="button" @click=${add}>${t("people.add")}</button></header>
      <div class="table-wrap" tabindex="0" role="region" aria-label=${t("people.people")}><table><thead><tr><th scope="col">${t("people.name")}</th><th scope="col">${t("people.role")}</th><th scope="col">${t("people.seen")}</th><th scope="col"><span class="sr">${t("people.acts")}</span></th></tr></thead><tbody>${repeat(people, (each) => each.name, person)}</tbody></table></div></section>
    <section class="card flush"><header><div class="grow"><h2>${t("people.tokens")}</h2><p class="soft small">${t("people.tokens_text")}</p></div><button class="button" type="button" @click=${addToken}>${t("people.add_token")}</button></header>
      ${tokens.length ? html`<div class="table-wrap" tabindex="0" role="region" aria-label=${t("people.tokens")}><table><thead><tr><th scope="col">${t("people.name")}</th><th scope="col">${t("people.scopes")}</th><th scope="col">${t("people.used")}</th><th scope="col"><span class="sr">${t("people.acts")}</span></th></tr></thead><tbody>${repeat(tokens, (each) => each.token_id, token)}</tbody></table></div>` : empty("key", t("people.no_tokens"))}</section>
  </div>`, place);
}

refresh();
