// The bearer token: requested if the server requires one, and kept until the tab is closed.

const KEY = "forstcore-token";

/** The headers that a request to the server needs. */
export function credentials() {
  const token = sessionStorage.getItem(KEY);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** Ask for the token; resolves when there is one. */
export function askForToken() {
  const section = document.getElementById("login");
  const form = document.getElementById("login-form");
  const input = document.getElementById("token");
  const wasWrong = sessionStorage.getItem(KEY) !== null;
  sessionStorage.removeItem(KEY);
  document.getElementById("login-why").textContent = wasWrong
    ? "The token is not correct."
    : "The token is kept in this tab until you close it.";
  section.hidden = false;
  input.value = "";
  input.focus();
  return new Promise((resolve) => {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      sessionStorage.setItem(KEY, input.value);
      section.hidden = true;
      resolve();
    }, { once: true });
  });
}
