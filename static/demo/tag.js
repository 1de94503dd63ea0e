// A stand-in for a third party's analytics tag: it leaves a cookie and calls home, as such tags do.
(() => {
  const tag = document.currentScript;
  if (!(tag instanceof HTMLScriptElement)) return;
  const home = new URL(tag.src);
  document.cookie = `_thirdparty=${Math.random().toString(36).slice(2)}; path=/; max-age=31536000; samesite=lax`;
  new Image().src = `${home.origin}/collect?page=${encodeURIComponent(location.pathname)}`;
})();
