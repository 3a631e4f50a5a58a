/**
 * Functions change hands: the replica that runs them is killed, the other goes on with what runs on the engine.
 * GANTRY_TEST_DOCKER_HOST names an engine that both reach; the suite functions starts its own in a network apart,
 * where Postgres and S3 are not.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ask } from '../functions/support/ask.ts';
import { functionImage } from '../functions/support/images.ts';
import { needsServerProgram } from '../functions/support/server-program.ts';
import { expectStatus } from '../spec/check.ts';
import { octets } from '../spec/push.ts';
import { obstacle, startTopology } from './support/topology.ts';

const engine = process.env.GANTRY_TEST_DOCKER_HOST;
const skip =
  (engine ? undefined : 'GANTRY_TEST_DOCKER_HOST names no engine') ??
  needsServerProgram() ??
  obstacle();

test(
  'a replica that is killed leaves its functions to the other',
  skip ? { skip } : {},
  async (t) => {
    const world = await startTopology('s3', {
      GANTRY_FUNCTIONS: 'on',
      GANTRY_INSTANCES_AT_STOP: 'end',
      GANTRY_DOCKER_HOST: engine!,
    });
    t.after(() => world.stop());
    const status = async (at: number) => {
      const answer = await fetch(`${world.origins[at]}/api/v1/functions`, {
        headers: { authorization: world.authorization },
      });
      return (await answer.json()) as { enabled: boolean; missing: string[] };
    };
    const both = await Promise.all([status(0), status(1)]);
    const owner = both.findIndex(({ enabled }) => enabled);
    const other = owner ^ 1;
    assert.deepEqual(
      both.map(({ enabled }) => enabled).sort(),
      [false, true],
      JSON.stringify(both),
    );
    assert.match(both[other]!.missing.join(), /another replica/);

    // Pushed to the one that does not run it.
    const registry = world.registry(other);
    const repository = `${world.project}/handed`;
    const made = await fetch(
      `${world.origins[other]}/api/v1/teams/${world.bootstrap.teamSlug}/projects/${world.bootstrap.projectSlug}/repositories`,
      {
        method: 'POST',
        headers: { authorization: world.authorization, 'content-type': 'application/json' },
        body: JSON.stringify({ name: 'handed' }),
      },
    );
    assert.equal(made.status, 201, await made.text());
    const bound = await fetch(
      `${world.origins[other]}/api/v1/teams/${world.bootstrap.teamSlug}/projects/${world.bootstrap.projectSlug}/services`,
      {
        method: 'POST',
        headers: { authorization: world.authorization, 'content-type': 'application/json' },
        body: JSON.stringify({
          ...{ name: 'handed', repository: 'handed' },
          settings: { freezeAfterMs: 0, idleMs: { production: 600_000 }, maxInstances: 1 },
        }),
      },
    );
    assert.equal(bound.status, 201, await bound.text());
    const image = functionImage({ version: 'one' });
    for (const blob of [image.config, ...image.layers]) {
      const put = await registry.ask('POST', `/v2/${repository}/blobs/uploads/`, {
        ...{ query: { digest: blob.descriptor.digest }, headers: octets, body: blob.bytes },
      });
      expectStatus(put, 201);
    }
    const pushed = await registry.ask('PUT', `/v2/${repository}/manifests/latest`, {
      headers: { 'content-type': image.manifest.descriptor.mediaType },
      body: image.manifest.bytes,
    });
    const url = expectStatus(pushed, 201).header('gantry-deployment-url');
    assert.ok(url, 'the push says where it will answer');
    const host = new URL(url).hostname;
    const answers = async (at: number, withinMs: number) => {
      const began = performance.now();
      for (;;) {
        const got = await ask(world.origins[at]!, '/', { host }).catch((error) => ({
          ...{ status: 0, body: String(error) },
        }));
        if (got.status === 200) return got.body;
        if (performance.now() - began > withinMs) assert.fail(`${got.status} ${got.body}`);
        await delay(200);
      }
    };
    assert.equal(await answers(owner, 60_000), 'hello from one\n');
    const elsewhere = await ask(world.origins[other]!, '/', { host });
    assert.equal(elsewhere.status, 503, elsewhere.body);

    await world.replica(owner).end('SIGKILL');
    const killedAt = performance.now();
    assert.equal(await answers(other, 30_000), 'hello from one\n');
    t.diagnostic(`it answers again ${Math.round(performance.now() - killedAt)} ms after the kill`);
    await world.start(owner);
    const now = await Promise.all([status(owner), status(other)]);
    assert.deepEqual(
      now.map(({ enabled }) => enabled),
      [false, true],
    );
  },
);
