import assert from 'node:assert/strict';
import { test } from 'node:test';
import { useServer } from '../spec/fixture.ts';
import { noChromium, startChromium } from '../tools/chromium.ts';

const fixture = useServer();
const obstacle = noChromium();

test('the page of the API in Chromium: nothing loaded, nothing blocked, nothing cut off', {
  skip: obstacle ?? false,
}, async (t) => {
  const browser = await startChromium();
  t.after(() => browser.close());
  const url = `${fixture.server.origin}/api/v1/docs`;
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [360, 800, 1400]) {
      const page = await browser.newPage({ colorScheme, viewport: { width, height: 900 } });
      const requests: string[] = [];
      const said: string[] = [];
      page.on('request', (request) => requests.push(request.url()));
      page.on('console', (message) => said.push(message.text()));
      await page.goto(url);
      const summaries = page.locator('summary');
      assert.ok((await summaries.count()) > 20, 'every route is there');
      await page.evaluate(
        'for (const one of document.querySelectorAll("details")) one.open = true',
      );
      const cut = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
      assert.equal(cut, 0, `at ${width} the page is wider than the window`);
      const [text, back] = (await page.evaluate(
        'const style = getComputedStyle(document.body); [style.color, style.backgroundColor]',
      )) as [string, string];
      const contrast = (luminance(text) + 0.05) / (luminance(back) + 0.05);
      assert.ok(Math.max(contrast, 1 / contrast) >= 7, `${text} on ${back}`);
      assert.equal(luminance(back) < 0.5, colorScheme === 'dark', 'as the reader has it');
      assert.deepEqual(requests, [url]);
      assert.deepEqual(said, []);
      await page.close();
    }
  }
});

/** Relative luminance (WCAG 2.2) of `rgb(r, g, b)`. */
function luminance(color: string): number {
  const [r = 0, g = 0, b = 0] = (color.match(/\d+/g) ?? []).map((part) => {
    const channel = Number(part) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
