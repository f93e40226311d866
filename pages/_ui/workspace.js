// The browser's own token, made at the first visit and kept over pages, reloads and tabs of one origin.
const KEY = "snnlab-workspace";

function kept() {
  try {
    const found = localStorage.getItem(KEY);
    if (/^[0-9a-f]{32}$/.test(found ?? "")) return found;
    const bytes = [...crypto.getRandomValues(new Uint8Array(16))];
    const token = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
    localStorage.setItem(KEY, token);
    return localStorage.getItem(KEY) === token ? token : "blocked";
  } catch {
    return "blocked"; // private windows and strict settings refuse storage
  }
}

export default function ({ parentElement, setStateValue }) {
  if (parentElement.told) return; // a rerun draws the component again; one answer is enough
  parentElement.told = true;
  setStateValue("token", kept());
}
