/**
 * A layer over the limit is refused while the client still sends it: what it prints has to be the registry's
 * reason, not a broken connection. (regctl prints the status alone, and the 20.10 engine tries five times in a
 * minute before it prints the same as 29 does.)
 */
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { type Gantry, startGantry } from './harness.ts';
import { docker29, startEngine } from './support/docker-engine.ts';
import { dockerArchive, makeImage, writeLayout } from './support/images.ts';
import { type RunResult, run } from './support/run.ts';
import { makeSandbox, type Sandbox } from './support/sandbox.ts';
import { needsPrograms, program, whySkipped } from './support/suite.ts';

interface Place {
  readonly gantry: Gantry;
  readonly sandbox: Sandbox;
  /** OCI layout whose `v1` has a layer of 24 MiB. */
  readonly layout: string;
}

interface Pusher {
  readonly slow?: boolean;
  readonly obstacle: () => string | undefined;
  push(place: Place, name: string): Promise<RunResult>;
}

const image = makeImage({ seed: 'too large', size: 24 << 20 });
const skopeo = '/usr/bin/skopeo';

const pushers: Readonly<Record<string, Pusher>> = {
  crane: {
    obstacle: () => needsPrograms('crane'),
    async push({ gantry: { bootstrap }, sandbox, layout }, name) {
      const { teamId, token, registry } = bootstrap;
      const { env } = sandbox;
      const login = ['auth', 'login', registry, '-u', teamId, '--password-stdin'];
      await run(program('crane'), login, { env, input: token });
      return run(program('crane'), ['push', layout, name], { env });
    },
  },
  skopeo: {
    obstacle: () => (existsSync(skopeo) ? undefined : 'skopeo is not installed'),
    push({ gantry: { bootstrap }, sandbox, layout }, name) {
      const creds = `${bootstrap.teamId}:${bootstrap.token}`;
      const flags = ['--insecure-policy', 'copy', '--dest-tls-verify=false', '--dest-creds', creds];
      return run(skopeo, [...flags, `oci:${layout}:v1`, `docker://${name}`], { env: sandbox.env });
    },
  },
  'docker 29': {
    slow: true,
    obstacle: docker29.obstacle,
    async push({ gantry: { bootstrap }, sandbox }, name) {
      const engine = await startEngine(docker29, sandbox);
      try {
        const login = ['login', '-u', bootstrap.teamId, '--password-stdin', bootstrap.registry];
        await engine.docker(login, { input: bootstrap.token });
        const archive = sandbox.path('image.tar');
        writeFileSync(archive, dockerArchive(name, image));
        await engine.docker(['load', '-i', archive]);
        return await engine.attempt(['push', name]);
      } finally {
        await engine.stop();
      }
    },
  },
};

describe('a layer over the limit', () => {
  let place: Place;
  const stack = new AsyncDisposableStack();
  before(async () => {
    const sandbox = makeSandbox();
    stack.defer(() => sandbox.remove());
    const layout = sandbox.fresh('layout');
    writeLayout(layout, 'v1', image);
    const env = { GANTRY_LAYER_LIMIT: '2MB' };
    const gantry = await startGantry({ folder: sandbox.fresh('server'), env });
    stack.defer(() => gantry.stop());
    place = { gantry, sandbox, layout };
  });
  after(() => stack.disposeAsync());

  for (const [name, pusher] of Object.entries(pushers)) {
    const skip = whySkipped(pusher);
    test(`is refused to ${name} with the limit`, skip ? { skip } : {}, async () => {
      const { gantry } = place;
      const repository = gantry.repository(name.replace(/\W/g, '-'));
      const pushed = await pusher.push(place, `${gantry.bootstrap.registry}/${repository}:v1`);
      assert.notEqual(pushed.code, 0);
      assert.match(pushed.stdout + pushed.stderr, /2(\.0+)? ?MB/, 'the limit is named');
      assert.equal(await gantry.raw.exists(repository, 'v1'), false);
    });
  }
});
