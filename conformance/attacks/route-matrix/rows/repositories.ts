import { groups } from '../callers.ts';
import { type Make, type Rows, unique } from '../row.ts';
import type { Place } from '../world.ts';

const projectOf = ({ team, project }: Place) => `/teams/${team}/projects/${project}`;

/** As the place's own repository is. */
const visibilityOf = (place: Place) => (place.repository === 'open' ? 'public' : 'private');

/** A repository of its own, to be destroyed. */
async function repository(place: Place, make: Make) {
  const name = unique('made');
  const body = { name, visibility: visibilityOf(place) };
  await make(place, 'POST', `${projectOf(place)}/repositories`, body);
  return { params: { repository: name } };
}

async function tag(place: Place, make: Make) {
  const name = unique('tag');
  const path = `${projectOf(place)}/repositories/${place.repository}/tags/${name}`;
  await make(place, 'PUT', path, { digest: place.digest });
  return { params: { tag: name } };
}

const manifest = (place: Place) => ({ params: { digest: place.digest } });
const target = (place: Place) => ({ digest: place.digest });

export const repositoryRows: Rows = {
  listRepositories: { at: 'project', may: groups.pull, publicParts: true },
  createRepository: {
    ...{ at: 'project', may: groups.create, answers: 201 },
    sample: () => ({ body: { name: unique('new') } }),
  },
  'createRepository#public': {
    ...{ at: 'project', may: groups.manage, answers: 201 },
    sample: () => ({ body: { name: unique('new'), visibility: 'public' } }),
  },
  getRepository: { at: 'repository', may: groups.pull },
  updateRepository: {
    ...{ at: 'repository', may: groups.manage },
    sample: (place) => ({ body: { visibility: visibilityOf(place) } }),
  },
  deleteRepository: {
    ...{ at: 'repository', may: groups.manage, answers: 204 },
    sample: repository,
  },
  listTags: { at: 'repository', may: groups.pull },
  getTag: { at: 'repository', may: groups.pull, sample: tag },
  putTag: {
    ...{ at: 'repository', may: groups.create, answers: 201, makes: ['tag'] },
    sample: (place) => ({ params: { tag: unique('tag') }, body: target(place) }),
    bodies: (other) => [target(other)],
  },
  // A46
  'putTag#overwrite': {
    ...{ at: 'repository', may: groups.push, answers: 200, makes: ['tag'] },
    sample: async (place, make) => ({
      ...{ ...(await tag(place, make)), body: { digest: await place.push() } },
    }),
  },
  deleteTag: { at: 'repository', may: groups.manage, answers: 204, sample: tag },
  listTagHistory: { at: 'repository', may: groups.pull, sample: tag },
  listDeletedManifests: { at: 'repository', may: groups.manage },
  restoreManifest: {
    ...{ at: 'repository', may: groups.manage, answers: 200 },
    sample: async (place, make) => {
      const digest = await place.push();
      const path = `${projectOf(place)}/repositories/${place.repository}/manifests/${digest}`;
      await make(place, 'DELETE', path);
      return { params: { digest } };
    },
  },
  runRetention: {
    ...{ at: 'repository', may: groups.manage },
    sample: () => ({ body: { dryRun: true } }),
  },
  getProjectRules: { at: 'project', may: groups.pull },
  putProjectRules: {
    ...{ at: 'project', may: groups.manage },
    sample: () => ({ body: { tagDeletion: true } }),
  },
  getRepositoryRules: { at: 'repository', may: groups.pull },
  putRepositoryRules: {
    ...{ at: 'repository', may: groups.manage },
    sample: () => ({ body: { immutableTags: ['never-*'] } }),
  },
  listManifests: { at: 'repository', may: groups.pull },
  getManifest: { at: 'repository', may: groups.pull, sample: manifest },
  deleteManifest: {
    ...{ at: 'repository', may: groups.manage, answers: 204 },
    sample: async (place) => ({ params: { digest: await place.push() } }),
  },
};
