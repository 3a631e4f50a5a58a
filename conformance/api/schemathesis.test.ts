/**
 * What the OpenAPI document says, held against a running server by schemathesis: no 5xx, no status, type or
 * body that the document does not have, nothing taken that its schemas forbid, nothing refused that they
 * allow. The same each time, unless GANTRY_SCHEMATHESIS_SEED names a seed; with GANTRY_SCHEMATHESIS_EXAMPLES
 * it asks longer.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { CallerName } from '../attacks/route-matrix/callers.ts';
import { createWorld, type Place, type World } from '../attacks/route-matrix/world.ts';
import { findPython } from '../tools/python.ts';
import { askable, type Known, readDocument } from './document.ts';

interface Run {
  readonly caller: CallerName;
  readonly phases: string;
  /** Of each operation and phase. */
  readonly examples: number;
  /** Operations that are left out. */
  readonly without?: readonly string[];
}

const runs: readonly Run[] = [
  { caller: 'none', phases: 'fuzzing', examples: 3 },
  { caller: 'owner', phases: 'coverage,fuzzing', examples: 6 },
  { caller: 'owner', phases: 'stateful', examples: 50 },
  { caller: 'read', phases: 'fuzzing', examples: 4 },
  // Is in no team, and so has no projects to name.
  { caller: 'operator', phases: 'fuzzing', examples: 4, without: ['createMyToken'] },
];

/** Teams by their id: slugs are changed. */
const known = ({ teamId, project, projectId, repository }: Place): Known => ({
  places: { team: teamId, project, repository },
  others: {
    updateProject: { project: 'side' },
    deleteProject: { project: 'side' },
    updateRepository: { repository: 'open' },
    deleteRepository: { repository: 'open' },
  },
  fields: { projects: [projectId], project: [project, null] },
});

const { GANTRY_SCHEMATHESIS_SEED: seed, GANTRY_SCHEMATHESIS_EXAMPLES: examples } = process.env;
const python = findPython();
const skip = 'missing' in python ? python.missing : false;
let world: World;
let folder: string;

before(async () => {
  if (skip) return;
  folder = await mkdtemp(join(tmpdir(), 'gantry-api-'));
  world = await createWorld();
  const document = askable(await readDocument(world.asker), known(world.own));
  await writeFile(join(folder, 'openapi.json'), JSON.stringify(document));
});
after(async () => {
  await world?.close();
  if (folder) await rm(folder, { recursive: true });
});

describe('schemathesis', { concurrency: 2, skip }, () => {
  for (const run of runs) {
    test(`as ${run.caller}, ${run.phases}: the API answers as its document says`, async () => {
      const { code, output } = await schemathesis(run);
      assert.equal(code, 0, `schemathesis ended with ${code}:\n${output}`);
      assert.match(output, /Test cases:\s+\d+ generated/, 'it asked');
      assert.equal(world.server.output().includes('"level":"error"'), false, 'no error is logged');
    });
  }
});

function schemathesis(run: Run): Promise<{ code: number; output: string }> {
  const authorization = world.api[run.caller];
  const cases = Number(examples ?? run.examples);
  const args = [
    ...['-m', 'schemathesis.cli', '--config-file', join(import.meta.dirname, 'schemathesis.toml')],
    ...['run', join(folder, 'openapi.json'), '--url', world.server.origin, '--no-color'],
    ...['--checks', 'all', '--phases', run.phases, '--max-examples', String(cases)],
    ...['--request-timeout', '20'],
    // It guesses which answers lead where, and takes a repository's id for the name that paths want.
    ...['--exclude-checks', 'ensure_resource_availability'],
    ...(run.without ?? []).flatMap((id) => ['--exclude-operation-id', id]),
    ...(seed === undefined
      ? ['--generation-deterministic']
      : ['--seed', seed, '--generation-database', 'none']),
    ...(authorization === undefined ? [] : ['--header', `Authorization: ${authorization}`]),
  ];
  const { promise, resolve, reject } = Promise.withResolvers<{ code: number; output: string }>();
  const env = {
    ...process.env,
    GANTRY_HOOKS: join(import.meta.dirname, 'hooks.py'),
  };
  const options = { cwd: folder, maxBuffer: 2 ** 28, env };
  execFile('path' in python ? python.path : '', args, options, (error, stdout, stderr) => {
    if (error && typeof error.code !== 'number') return reject(error);
    resolve({ code: Number(error?.code ?? 0), output: `${stdout}${stderr}`.slice(-20_000) });
  });
  return promise;
}
