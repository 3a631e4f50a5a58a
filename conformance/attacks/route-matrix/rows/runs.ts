import { groups } from '../callers.ts';
import { type Make, type Rows, type Sample, unique } from '../row.ts';
import type { Place } from '../world.ts';

const projectPath = ({ team, project }: Place) => `/teams/${team}/projects/${project}`;

async function volume(place: Place, make: Make): Promise<Sample> {
  const name = unique('volume');
  await make(place, 'POST', `${projectPath(place)}/volumes`, { name, kind: 'disk' });
  return { params: { volume: name } };
}

async function attachable(place: Place, make: Make): Promise<Sample> {
  const service = unique('service');
  await make(place, 'POST', `${projectPath(place)}/services`, { name: service });
  const { params } = await volume(place, make);
  return { params: { ...params, service } };
}

/** None is there, since there is no engine: who may call hears so, and everybody else the same as ever. */
const sandbox = () => ({
  params: { sandbox: `sbx_${String(++asked).padStart(32, '0')}` },
});
let asked = 0;
const tar = { 'content-type': 'application/x-tar' };

/** Who may set functions. */
const sets = { at: 'project', may: groups.push } as const;

/** Volumes, invocations and sandboxes. */
export const runRows: Rows = {
  listVolumes: sets,
  createVolume: { ...sets, sample: () => ({ body: { name: unique('volume'), kind: 'disk' } }) },
  getVolume: { ...sets, sample: volume },
  updateVolume: {
    ...sets,
    sample: async (place, make) => ({
      ...(await volume(place, make)),
      body: { maxBytes: 2 ** 30 },
    }),
  },
  deleteVolume: { ...sets, sample: volume },
  attachVolume: {
    ...sets,
    sample: async (place, make) => ({
      ...(await attachable(place, make)),
      body: { path: '/data' },
    }),
  },
  detachVolume: { ...sets, sample: attachable },

  invokeService: {
    ...{ ...sets, answers: 503, makes: ['service'] },
    sample: () => ({ params: { service: 'web' }, body: { payload: 'x' } }),
  },
  listInvocations: {
    ...{ ...sets, makes: ['service'] },
    sample: () => ({ params: { service: 'web' } }),
  },
  getInvocation: {
    ...{ ...sets, answers: 404, makes: ['service'] },
    sample: () => ({
      params: { service: 'web', invocation: `inv_${String(++asked).padStart(32, '0')}` },
    }),
  },

  listSandboxes: sets,
  createSandbox: {
    ...{ ...sets, answers: 503 },
    sample: ({ repository }) => ({ body: { image: `${repository}:latest` } }),
  },
  getSandbox: { ...sets, answers: 404, sample: sandbox },
  extendSandbox: {
    ...{ ...sets, answers: 404 },
    sample: () => ({ ...sandbox(), body: { timeLimit: 60 } }),
  },
  stopSandbox: { ...sets, answers: 404, sample: sandbox },
  exposeSandboxPort: {
    ...{ ...sets, answers: 404 },
    sample: () => ({ ...sandbox(), body: { port: 8080 } }),
  },
  execInSandbox: {
    ...{ ...sets, answers: 404 },
    sample: () => ({ ...sandbox(), body: { command: ['/bin/true'] } }),
  },
  readSandboxFiles: {
    ...{ ...sets, answers: 404 },
    sample: () => ({ ...sandbox(), query: { path: '/' } }),
  },
  writeSandboxFiles: {
    ...{ ...sets, answers: 404 },
    sample: () => ({ ...sandbox(), query: { path: '/' }, headers: tar, body: 'x' }),
  },
};
