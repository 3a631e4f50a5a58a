import assert from 'node:assert/strict';
import test from 'node:test';
import { explainStart, greeting } from './greeting.ts';

const bootstrap = {
  registry: '127.0.0.1:5050',
  teamId: 'team_1',
  teamSlug: 'my-team',
  projectSlug: 'my-project',
  token: 'gnt_canary',
};
const url = 'http://127.0.0.1:5050';
const functions = { missing: undefined, warnings: [] };

test('the lines of a first push, ready to paste, without the token', () => {
  const text = greeting({ url, first: true, bootstrap, functions }, { data: '/srv/data' });
  const image = '127.0.0.1:5050/my-team/my-project/hello:latest';
  for (const line of [
    `Gantry is ready at ${url}`,
    '/srv/data/bootstrap.json',
    'docker login 127.0.0.1:5050 --username team_1 --password-stdin',
    `docker tag hello:latest ${image}`,
    `docker push ${image}`,
    `docker pull ${image}`,
    `curl ${url}/run/my-team/my-project/ `,
    `${url}/api/v1/docs`,
  ])
    assert.ok(text.includes(line), line);
  assert.doesNotMatch(text, /gnt_canary/);
});

test('later starts do not say that something was made', () => {
  const text = greeting({ url, first: false, bootstrap, functions }, { data: '/srv/data' });
  assert.doesNotMatch(text, /were made/);
  assert.match(text, /docker login/);
});

test('what keeps functions from running is said, with how to mend it', () => {
  const missing = 'There is no container engine at unix:///var/run/docker.sock. Install one.';
  const text = greeting(
    { url, first: true, bootstrap, functions: { missing, warnings: [] } },
    { data: '/srv/data' },
  );
  assert.ok(text.includes(missing), text);
  assert.doesNotMatch(text, /curl/);
  const off = greeting(
    { url, first: true, bootstrap, functions: undefined },
    { data: '/srv/data' },
  );
  assert.doesNotMatch(off, /function|curl/);
});

test('a folder with odd letters is quoted for the shell', () => {
  const text = greeting({ url, first: false, bootstrap, functions }, { data: "/a b/it's" });
  assert.ok(text.includes("'/a b/it'\\''s/bootstrap.json'"), text);
});

test('where the file was put away, how to make a token', () => {
  const text = greeting(
    { url, first: false, bootstrap: undefined, functions },
    { data: '/srv/data' },
  );
  assert.match(text, /npx gantry admin token create/);
  assert.doesNotMatch(text, /docker login/);
});

test('why a start failed, and what to do', () => {
  const cases: [object, RegExp][] = [
    [
      { code: 'EADDRINUSE', port: 5050, address: '127.0.0.1' },
      /5050.*taken[\s\S]*GANTRY_PORT=5051/,
    ],
    [{ code: 'EACCES', port: 80 }, /may not listen on port 80[\s\S]*GANTRY_PORT=5050/],
    [{ code: 'EADDRNOTAVAIL', address: '10.9.9.9' }, /no address 10\.9\.9\.9[\s\S]*GANTRY_HOST/],
    [new Error('something else'), /could not start: Error: something else\n\s+at /],
    [{ code: 'EACCES' }, /could not start/],
  ];
  for (const [error, expected] of cases) assert.match(explainStart(error), expected);
  assert.match(explainStart('a text'), /could not start: a text/);
});

test('what the operator should be careful of is said', () => {
  const functions = { missing: undefined, warnings: ['Nothing guards the networks. Start it.'] };
  const text = greeting({ url, first: false, bootstrap, functions }, { data: '/srv/data' });
  assert.match(text, /Careful: Nothing guards the networks\. Start it\./);
});
