import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseImageConfig } from './image-config.ts';

const parse = (value: unknown) => parseImageConfig(Buffer.from(JSON.stringify(value)));

describe('a config from a stranger', () => {
  for (const [title, bytes] of [
    ['no JSON', '{'],
    ['a list', '[]'],
    ['a text', '"x"'],
    ['nothing', ''],
    ['too deep', `${'['.repeat(100)}${']'.repeat(100)}`],
    ['no UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
  ] as const)
    test(`${title}: none`, () => assert.equal(parseImageConfig(Buffer.from(bytes)), undefined));

  test('fields of another kind count as absent', () => {
    const odd = parse({
      ...{ os: 1, architecture: null, created: {}, author: '', history: { 0: {} } },
      config: { Env: 'A=b', Cmd: [1, 'x', null], Labels: ['x'], ExposedPorts: 'x', User: [] },
    });
    assert.deepEqual(odd, {
      ...{ os: undefined, architecture: undefined, variant: undefined, created: undefined },
      ...{ author: undefined, user: undefined, workingDir: undefined, stopSignal: undefined },
      ...{ entrypoint: [], command: ['x'], env: [], exposedPorts: [], volumes: [] },
      ...{ labels: {}, history: [] },
    });
    assert.deepEqual(parse({ config: null })?.env, []);
  });

  test('a label named __proto__ is a label', () => {
    const config = parseImageConfig(Buffer.from('{"config":{"Labels":{"__proto__":"x"}}}'));
    assert.deepEqual(Object.entries(config!.labels), [['__proto__', 'x']]);
  });
});
