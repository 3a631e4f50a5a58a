import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Launched, launch, root } from './gantry.ts';
import type { Images, PushedImage } from './images.ts';
import type { Random } from './random.ts';

export type Env = Readonly<Record<string, string>>;
const kills = Number(process.env.GANTRY_TEST_BACKUP_KILLS ?? 2);

/** A command under way. */
export function begin(args: readonly string[], env: Env) {
  const child = spawn(process.execPath, [join(root, 'src', 'cli', 'main.ts'), 'admin', ...args], {
    cwd: root,
    env: {
      PATH: process.env.PATH ?? '',
      HOME: process.env.HOME ?? '',
      NODE_COMPILE_CACHE: join(root, '.cache', 'compile'),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const end = (): unknown => child.kill('SIGKILL');
  process.once('exit', end);
  child.once('close', () => process.off('exit', end));
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, out, err }));
  return { child, ended };
}

export async function run<T>(args: readonly string[], env: Env): Promise<T> {
  const { code, out, err } = await begin([...args, '--json'], env).ended;
  assert.equal(code, 0, `${args.join(' ')}: ${err}`);
  return JSON.parse(out) as T;
}

export async function refused(args: readonly string[], env: Env): Promise<string> {
  const { code, out, err } = await begin([...args, '--json'], env).ended;
  assert.equal(code, 1, `${args.join(' ')} gave ${out}`);
  const { error } = JSON.parse(err) as { error: { message: string; hint: string } };
  assert.ok(error.hint, err);
  return error.message;
}

/** Begins it again and again, and kills it while it works, then lets it end. */
export async function runOverKills(
  t: TestContext,
  random: Random,
  args: readonly string[],
  env: Env,
  longest: number,
) {
  for (let kill = 1; kill <= kills; kill++) {
    const { child, ended } = begin([...args, '--json'], env);
    const after = random.whole(300, longest);
    const timer = setTimeout(() => child.kill('SIGKILL'), after);
    const { code, err } = await ended;
    clearTimeout(timer);
    t.diagnostic(
      `${args[0]} ${code === null ? 'was killed' : `ended with ${code}`} after ${after} ms`,
    );
    assert.ok(code === null || code === 0, err);
  }
  await run(args, env);
}

export async function serve(
  t: TestContext,
  data: string,
  env: Env = {},
): Promise<Launched & { origin: string }> {
  const server = launch({ data, env: { GANTRY_FUNCTIONS: 'off', ...env } });
  t.after(() => server.end('SIGKILL'));
  return { ...server, origin: await server.ready };
}

export async function expectAll(images: Images, pushed: readonly PushedImage[]): Promise<void> {
  for (const image of pushed) assert.equal(await images.problem(image), undefined);
}

export async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-backup-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export async function until(what: string, done: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!(await done())) {
    assert.ok(performance.now() < deadline, `${what} did not happen in 30 s`);
    await delay(20);
  }
}
