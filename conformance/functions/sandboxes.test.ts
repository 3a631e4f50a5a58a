/** Sandboxes: commands, files, ports and ends, in containers of both engines. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { tar } from '../clients/support/tar.ts';
import { ask } from './support/ask.ts';
import { isFrozen } from './support/containers.ts';
import { releases } from './support/engine.ts';
import { functionImage } from './support/images.ts';
import { functionsSuite, type World } from './support/suite.ts';
import { until } from './support/until.ts';

const busybox = '/usr/bin/busybox';

interface View {
  readonly id: string;
  readonly state: string;
  readonly reason: string | null;
  readonly ports: readonly { readonly port: number; readonly url: string }[];
  readonly expiresAt: string;
}
interface Line {
  readonly stream?: 'stdout' | 'stderr';
  readonly text?: string;
  readonly exit?: number;
  readonly timedOut?: boolean;
}

const pathOf = ({ gantry }: World) =>
  `/teams/${gantry.teamSlug}/projects/${gantry.projectSlug}/sandboxes`;
const create = (world: World, body: object = {}) =>
  world.gantry.api<View>('POST', pathOf(world), { image: 'tools:v1', ...body });
const view = (world: World, { id }: View) =>
  world.gantry.api<View>('GET', `${pathOf(world)}/${id}`);
const stop = (world: World, { id }: View) =>
  world.gantry.api('DELETE', `${pathOf(world)}/${id}`, undefined, 204);

async function raw({ gantry }: World, method: string, path: string, body?: Buffer | string) {
  return ask(gantry.origin, `/api/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${gantry.token}`,
      ...(body !== undefined && {
        'content-type': Buffer.isBuffer(body) ? 'application/x-tar' : 'application/json',
      }),
    },
    ...(body !== undefined && { body }),
  });
}

async function exec(world: World, { id }: View, command: readonly string[], more: object = {}) {
  const body = JSON.stringify({ command: ['/bin/busybox', ...command], ...more });
  const answer = await raw(world, 'POST', `${pathOf(world)}/${id}/exec`, body);
  assert.equal(answer.status, 200, answer.body);
  const lines = answer.body
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  const of = (stream: string) =>
    lines.flatMap((line) => (line.stream === stream ? (line.text ?? '') : [])).join('');
  return { out: of('stdout'), err: of('stderr'), end: lines.at(-1)! };
}

functionsSuite({
  name: 'sandboxes',
  releases,
  obstacle: () => (existsSync(busybox) ? undefined : `there is no ${busybox}`),
  async prepare({ gantry }) {
    const files = [
      { name: 'bin/' },
      { name: 'bin/busybox', bytes: readFileSync(busybox), mode: 0o755 },
    ];
    const image = functionImage({ version: 'tools', files, user: '1000:1000' });
    await gantry.push(gantry.repository('tools'), 'v1', image);
  },
  tests: {
    'commands: output as it comes, exit codes, input, time limits': async (world) => {
      const made = await create(world, { env: { GREETING: 'hello' } });
      assert.equal(made.state, 'starting');
      const shell = (line: string, more?: object) => exec(world, made, ['sh', '-c', line], more);
      const both = await shell('echo out; echo err >&2; exit 3');
      assert.deepEqual([both.out, both.err, both.end], ['out\n', 'err\n', { exit: 3 }]);
      assert.equal((await shell('echo $GREETING')).out, 'hello\n');
      assert.equal((await exec(world, made, ['id', '-u'])).out, '1000\n', "the image's USER");
      assert.equal((await exec(world, made, ['id', '-u'], { user: '0' })).out, '0\n');
      assert.equal((await exec(world, made, ['pwd'], { workingDir: '/tmp' })).out, '/tmp\n');
      assert.equal((await exec(world, made, ['cat'], { stdin: 'höre\n' })).out, 'höre\n');
      const late = await exec(world, made, ['sleep', '600'], { timeout: 1 });
      assert.deepEqual(late.end, { exit: 137, timedOut: true });
      assert.doesNotMatch((await exec(world, made, ['ps'])).out, /sleep 600/, 'it was killed');
      await stop(world, made);
      const refused = await raw(
        world,
        'POST',
        `${pathOf(world)}/${made.id}/exec`,
        '{"command":["x"]}',
      );
      assert.equal(refused.status, 409, refused.body);
      assert.match(refused.body, /has ended: stopped/);
    },

    'files go in and out as tar, and not out of the container': async (world) => {
      const made = await create(world);
      const files = `${pathOf(world)}/${made.id}/files`;
      const archive = tar([{ name: 'note', bytes: Buffer.from('written'), mode: 0o644 }]);
      assert.equal((await raw(world, 'PUT', `${files}?path=/tmp`, archive)).status, 204);
      assert.equal((await exec(world, made, ['cat', '/tmp/note'])).out, 'written');
      const back = await raw(world, 'GET', `${files}?path=/tmp/note`);
      assert.equal(back.status, 200);
      assert.ok(back.body.includes('written'));
      assert.equal((await raw(world, 'GET', `${files}?path=/none`)).status, 404);
      assert.equal((await raw(world, 'GET', `${files}?path=note`)).status, 400);
      await exec(world, made, ['ln', '-s', '/', '/tmp/root']);
      const shadow = await raw(world, 'GET', `${files}?path=/tmp/root/../../../etc/hostname`);
      assert.ok(!shadow.body.includes('root:x:0:0:root:/root'), 'no file of the host');
      await stop(world, made);
    },

    'a port is reached at a name of its own, and no more after the end': async (world) => {
      const made = await create(world, { ports: [9000] });
      const server = exec(world, made, ['sh', '-c', 'SERVER_PORT=9000 /server'], { timeout: 60 });
      server.catch(() => {});
      const [{ url }] = made.ports as [View['ports'][number]];
      const host = new URL(url).hostname;
      assert.match(host, /^sbx-[a-z2-7]{26}\./);
      const answered = await until(async () => {
        const answer = await world.gantry.ask(host, '/');
        return answer.status === 200 ? answer : undefined;
      }, 'the port answers');
      assert.equal(answered.body, 'hello from tools\n');
      const added = await world.gantry.api<View>('POST', `${pathOf(world)}/${made.id}/ports`, {
        port: 9001,
      });
      assert.equal(added.ports.length, 2);
      const other = new URL(added.ports[1]!.url).hostname;
      assert.equal((await world.gantry.ask(other, '/')).status, 502, 'nothing listens there');
      const guessed = `sbx-${'a'.repeat(26)}${host.slice(30)}`;
      assert.equal((await world.gantry.ask(guessed, '/')).status, 404);
      await stop(world, made);
      await server.catch(() => {});
      assert.equal((await world.gantry.ask(host, '/')).status, 404);
    },

    'it ends at its time limit, which can be moved; with its own process where it runs that':
      async (world) => {
        const short = await create(world, { timeLimit: 10 });
        const moved = await world.gantry.api<View>('PATCH', `${pathOf(world)}/${short.id}`, {
          timeLimit: 3600,
        });
        assert.ok(Date.parse(moved.expiresAt) > Date.parse(short.expiresAt) + 3_000_000);
        await world.gantry.api('PATCH', `${pathOf(world)}/${short.id}`, { timeLimit: 10 });
        await exec(world, short, ['true']);
        const over = await until(async () => {
          const now = await view(world, short);
          return now.state === 'ended' ? now : undefined;
        }, 'it ends');
        assert.equal(over.reason, 'time limit');
        const own = await create(world, {
          ...{ process: 'image', env: { SERVER_EXIT_AFTER: '100ms', SERVER_EXIT_CODE: '5' } },
        });
        const exited = await until(async () => {
          const now = await view(world, own);
          return now.state === 'ended' ? now : undefined;
        }, 'it ends');
        assert.equal(exited.reason, 'its process ended with code 5');
      },

    'after kill -9 it is found again; what ended meanwhile is gone': async (world) => {
      const { gantry, engine } = world;
      const [kept, stopped] = [await create(world), await create(world)];
      for (const one of [kept, stopped]) await exec(world, one, ['touch', '/tmp/mine']);
      await gantry.halt('SIGKILL');
      await engine.docker(['rm', '-f', stopped.id]);
      await gantry.resume();
      assert.deepEqual((await exec(world, kept, ['ls', '/tmp'])).out, 'mine\n');
      assert.equal((await view(world, stopped)).reason, 'its container is gone');
      await gantry.halt();
      assert.ok(await isFrozen(engine, kept.id), 'it waits for the next start');
      await gantry.resume();
      assert.deepEqual((await exec(world, kept, ['ls', '/tmp'])).out, 'mine\n');
      await stop(world, kept);
      const left = (await engine.leftovers()).containers;
      assert.deepEqual(
        left.filter((name) => name.includes('sbx_')),
        [],
      );
    },
  },
});
