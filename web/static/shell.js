// What stands around every page: theme, language, one's own password, leaving, further places.
import { ask, asked, complain, html, page, t, toast } from "./core.js";

const find = (id) => document.getElementById(id);

// ---------- theme
function showTheme() {
  const chosen = document.documentElement.dataset.theme ?? "auto";
  for (const button of document.querySelectorAll("[data-theme-choice]")) {
    button.setAttribute("aria-pressed", String(button.dataset.themeChoice === chosen));
  }
}
find("themes")?.addEventListener("click", (event) => {
  const choice = event.target.closest("button")?.dataset.themeChoice;
  if (!choice) return;
  if (choice === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
  try {
    if (choice === "auto") localStorage.removeItem("theme");
    else localStorage.setItem("theme", choice);
  } catch {
    // Storage is switched off: the choice lasts as long as the page.
  }
  showTheme();
});
showTheme();

// ---------- language
find("languages")?.addEventListener("click", (event) => {
  const language = event.target.closest("button")?.dataset.language;
  if (!language) return;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `lang=${language}; Path=/; Max-Age=31536000; SameSite=Strict${secure}`;
  location.reload();
});

// ---------- one's own password
find("change-password")?.addEventListener("click", async () => {
  find("menu").hidePopover();
  const said = await asked((leave) => html`<form>
    <h2 id="dialog-title">${t("common.change_password")}</h2>
    <label class="field"><span>${t("common.old_password")}</span><input name="old" type="password" autocomplete="current-password" required></label>
    <label class="field"><span>${t("common.new_password")}</span><input name="new" type="password" autocomplete="new-password" minlength=${page.shortest_password} required><small class="soft">${t("common.new_password_help", { n: page.shortest_password })}</small></label>
    <div class="actions"><button class="button quiet" type="button" @click=${leave}>${t("common.cancel")}</button><button class="button primary" value="yes">${t("common.change_password")}</button></div>
  </form>`);
  if (!said) return;
  try {
    await ask("POST", "/api/v1/me/password", said, { stay: true });
    toast(t("common.password_changed"));
  } catch (error) {
    complain(error);
  }
});

// ---------- leaving
find("sign-out")?.addEventListener("click", async () => {
  document.dispatchEvent(new Event("leaving")); // or a line that ends with the session would look like a lost one
  try {
    await ask("DELETE", "/api/v1/session");
    location.assign("/sign-in");
  } catch (error) {
    complain(error);
    document.dispatchEvent(new Event("staying"));
  }
});

// ---------- the further places on a phone
find("more").addEventListener("click", () => {
  const open = find("rail").classList.toggle("open");
  find("more").setAttribute("aria-expanded", String(open));
});
document.addEventListener("click", (event) => {
  if (!event.target.closest("#rail")) {
    find("rail").classList.remove("open");
    find("more").setAttribute("aria-expanded", "false");
  }
});
