// The API for people who write programs: what the OpenAPI document says, to be read.
import { failed, html, look, nothing, render, t } from "./core.js";

const place = document.getElementById("api");
const METHODS = ["get", "post", "put", "patch", "delete"];
let about = null;

/** What a reference points at. */
function resolved(value) {
  if (!value?.$ref) return value;
  return value.$ref.slice(2).split("/").reduce((part, key) => part?.[key], about);
}

/** An example of a body: its own, its schema's, or its shape alone. */
function example(content) {
  const body = content?.["application/json"];
  if (!body) return null;
  const schema = resolved(body.schema);
  const own = body.example ?? Object.values(body.examples ?? {})[0]?.value ?? schema?.examples?.[0];
  return own ?? shape(schema, 0);
}

function shape(given, depth) {
  const schema = resolved(given);
  if (!schema || depth > 4) return "…";
  if (schema.examples?.length) return schema.examples[0];
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.anyOf) return shape(schema.anyOf[0], depth);
  if (schema.type === "array") return schema.prefixItems ? schema.prefixItems.map((each) => shape(each, depth + 1)) : [shape(schema.items, depth + 1)];
  if (schema.type === "object") return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([key, value]) => [key, shape(value, depth + 1)]));
  return schema.type ?? "…";
}

const json = (title, value) => (value === null ? nothing : html`<h3 class="small soft">${title}</h3><pre tabindex="0" role="region" aria-label=${title}>${JSON.stringify(value, null, 2)}</pre>`);

const operation = ([path, method, each]) => {
  const answer = Object.entries(each.responses ?? {}).find(([status]) => status.startsWith("2"))?.[1];
  const who = [...(each["x-roles"] ?? []), ...(each["x-scopes"] ?? []).map((scope) => `token: ${scope}`)];
  return html`<li><details class="operation"><summary><span class="chip ${method === "get" ? "" : "accent"}">${method.toUpperCase()}</span><code class="break">${path}</code><span class="soft grow">${each.summary ?? ""}</span></summary>
    <div class="stack">${each.description ? html`<p>${each.description}</p>` : nothing}
      ${who.length ? html`<p class="row wrap small"><span class="soft">${t("api.who")}</span>${who.map((one) => html`<span class="chip">${one}</span>`)}</p>` : nothing}
      ${(each.parameters ?? []).length ? html`<dl class="facts small">${each.parameters.map((one) => html`<dt><code>${one.name}</code></dt><dd>${one.description ?? one.schema?.type ?? one.in}</dd>`)}</dl>` : nothing}
      ${json(t("api.takes"), example(resolved(each.requestBody)?.content))}${json(t("api.gives"), example(resolved(answer)?.content))}</div></details></li>`;
};

/** Operations by what they are about: the first word of their address. */
function groups() {
  const found = new Map();
  for (const [path, operations] of Object.entries(about.paths)) {
    const name = /^\/api\/v1\/([a-z-]+)/.exec(path)?.[1] ?? t("api.rest");
    const some = METHODS.filter((method) => operations[method]).map((method) => [path, method, operations[method]]);
    found.set(name, [...(found.get(name) ?? []), ...some]);
  }
  return [...found].sort(([one], [other]) => one.localeCompare(other));
}

async function show() {
  try {
    about = await look("/api/v1/openapi.json");
  } catch (error) {
    return render(failed(error, show), place);
  }
  render(html`<div class="stack api-page">
    <section class="card"><p>${t("api.lead")}</p><p><a class="button" href="/api/v1/openapi.json">${t("api.document")}</a></p></section>
    ${groups().map(([name, some]) => html`<section class="card flush"><header><h2>${name}</h2></header><ul class="list">${some.map(operation)}</ul></section>`)}
  </div>`, place);
}

show();
