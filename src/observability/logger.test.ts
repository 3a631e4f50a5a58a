import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { createLogger, type Logger, maskSecrets } from './logger.ts';

/** The lines that `work` makes a logger write, parsed. */
async function written(t: TestContext, level: string, work: (logger: Logger) => void) {
  const pieces: string[] = [];
  const write = t.mock.method(process.stderr, 'write', (piece: string | Uint8Array) => {
    pieces.push(String(piece));
    return true;
  });
  work(createLogger({ level }));
  await new Promise((resolve) => setImmediate(resolve));
  write.mock.restore();
  const lines = pieces.join('').split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('a line is JSON with its time, level, message and fields', async (t) => {
  const [line, ...more] = await written(t, 'info', (logger) => {
    logger.info('login', { actor: 'ci', status: 200, nested: { a: ['b'] }, absent: undefined });
  });
  assert.deepEqual(more, []);
  const { timestamp, ...rest } = line!;
  assert.ok(!Number.isNaN(Date.parse(String(timestamp))));
  const nested = { a: ['b'] };
  assert.deepEqual(rest, { level: 'info', message: 'login', actor: 'ci', status: 200, nested });
});

test('a line break in a field makes no line of its own', async (t) => {
  const [line, ...more] = await written(t, 'info', (logger) => {
    logger.warn('denied', { reason: 'a\n{"level":"error","message":"forged"}\r\n' });
  });
  assert.deepEqual(more, []);
  assert.match(String(line?.reason), /^a\n\{"level"/);
});

test('levels: those above are written, and it is known before which', async (t) => {
  const all = ['error', 'warn', 'info', 'debug'] as const;
  for (const [at, level] of all.entries()) {
    const lines = await written(t, level, (logger) => {
      for (const each of all) {
        logger[each]('x');
        assert.equal(logger.writes(each), all.indexOf(each) <= at);
      }
    });
    assert.deepEqual(
      lines.map((line) => line.level),
      all.slice(0, at + 1),
    );
  }
});

const secrets = [
  'gnt_0123456789abcdefghijABCDEFGHIJ012345',
  'gntr_abcdefghijklmnopqrstuvwxyz-_0123456789',
  'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl',
  'eyJhbGciOiJub25lIn0.eyJzdWIiOiJjYW5hcnkifQ.',
  'Basic dGVhbV8xOmdudF9jYW5hcnktY2FuYXJ5',
  'bearer abcdefghijklmnopqrst'.replace('b', 'B'),
  '_state=mi5x3k2a.abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ',
];

test('A49: what looks like a secret is masked, wherever it stands', async (t) => {
  for (const secret of secrets) {
    const text = maskSecrets(`before ${secret}, after`);
    assert.equal(text, 'before [masked], after');
    const [line] = await written(t, 'info', (logger) => {
      logger.info(`in the message ${secret}`, {
        field: secret,
        list: [secret],
        deep: { deeper: { text: `a "${secret}"\n` } },
        [secret]: 'as a name',
        error: new Error(secret).stack,
      });
    });
    assert.ok(!JSON.stringify(line).includes(secret), secret);
    assert.deepEqual(line?.deep, { deeper: { text: 'a "[masked]"\n' } });
  }
});

test('what only looks a little like a secret stays', () => {
  const texts = [
    'The Basic credentials are malformed.',
    'The Authorization header must be Basic or Bearer.',
    'npx gantry admin token create',
    'username is the team id (team_…), the token (gnt_…)',
    `sha256:${'a'.repeat(64)}`,
    'eyJ is how JWTs begin',
  ];
  for (const text of texts) assert.equal(maskSecrets(text), text);
});

test('A34: masking a long line takes no time', () => {
  const started = process.cpuUsage();
  for (const piece of ['gnt_', 'eyJ', 'eyJaaaaaaaa.', 'Basic ', 'Bearer \t', '_state=', '.'])
    maskSecrets(piece.repeat(100_000 / piece.length));
  assert.ok(process.cpuUsage(started).user < 500_000);
});
