// How tests of programs and pages wait: until they see what they wait for, however slow the machine is. What has not come
// within a minute does not come, and the test has failed.
export const patience = 60000;
export const sleep = ms => new Promise(done => setTimeout(done, ms));

// Waits until something is so; it may be asked of others, and is then awaited. Returns whether it is.
export async function until(is, ms = patience) {
  for (const end = Date.now() + ms; Date.now() < end; await sleep(10)) if (await is()) return true;
  return Boolean(await is());
}

// The same in a page of a browser, of a function of the page, or of a text that it shows.
export const untilPage = (page, fn, arg) => page.waitForFunction(fn, arg, { timeout: patience }).then(() => true, () => false);
export const sees = (page, text) => untilPage(page, t => document.body.innerText.includes(t), text);

// Whether a page shows a text from now on, be it for a moment only, as what goes away by itself: each change is looked at.
// Returns, when the page looks, what is to be called for the answer.
export async function watched(page, text) {
  const name = `watched${Math.random()}`;
  await page.evaluate(([n, t, ms]) => {
    window[n] = new Promise(done => {
      const look = () => { if (document.body.innerText.includes(t)) { watcher.disconnect(); done(true); } };
      const watcher = new MutationObserver(look);
      watcher.observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
      setTimeout(() => { watcher.disconnect(); done(false); }, ms);
      look();
    });
  }, [name, text, patience]);
  return () => page.evaluate(n => window[n], name);
}
