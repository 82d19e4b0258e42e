// A new release waits until nobody is in the middle of anything: it is taken on the lock screen, or when asked for.
// One reload, never a loop: it happens once a page, when the new worker has taken over.
/** @type {ServiceWorkerRegistration | null} */
let registration = null;
let reloaded = false;
const WORKER = "/app/sw.js";
const policy = /** @type {any} */ (globalThis).trustedTypes?.createPolicy("app", {
  createScriptURL: (/** @type {string} */ url) => {
    if (url !== WORKER) throw new TypeError("no such worker");
    return url;
  },
});

/** @param {() => void} waiting called when a new release is ready */
export async function register(waiting) {
  if (!("serviceWorker" in navigator)) return;
  let controlled = !!navigator.serviceWorker.controller;
  navigator.serviceWorker.addEventListener("controllerchange", () => {
    const first = !controlled;
    controlled = true;
    if (first || reloaded) return; // the very first install takes over without a reload
    reloaded = true;
    location.reload();
  });
  registration = await navigator.serviceWorker.register(policy?.createScriptURL(WORKER) ?? WORKER, {
    scope: "/app",
    updateViaCache: "none",
  });
  const look = () => {
    if (ready() && navigator.serviceWorker.controller) waiting();
  };
  look();
  registration.addEventListener("updatefound", () => registration?.installing?.addEventListener("statechange", look));
}

export const check = () => registration?.update().catch(() => {});
export const ready = () => !!registration?.waiting;
/** The page reloads once the new worker has taken over. */
export const take = () => registration?.waiting?.postMessage("take over");

/** Nothing of the app stays in the browser. */
export async function forget() {
  await registration?.unregister();
  for (const name of await caches.keys()) await caches.delete(name);
}
