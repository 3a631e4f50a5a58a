import { refuse } from '../oci/errors.ts';
import { quote } from '../oci/quote.ts';
import { RuntimeError, type RuntimeVolume } from '../ports/runtime-driver.ts';
import type { AdminDeps, Handlers, StrayVolumes } from './admin-context.ts';
import { type AdminLookup, pathOf } from './admin-lookup.ts';
import type { StrayVolume } from './admin-methods.ts';

type VolumeMethods = 'volume.list' | 'volume.adopt' | 'volume.remove';

/** Volumes that the container engine holds and the database does not know, such as those made after a backup. */
export function volumeHandlers(
  { volumes, metadata, clock }: Pick<AdminDeps, 'volumes' | 'metadata' | 'clock'>,
  lookup: AdminLookup,
): Pick<Handlers, VolumeMethods> {
  const engine = (): StrayVolumes => {
    const found = volumes();
    if (found) return found;
    throw refuse(
      'unavailable',
      'No container engine is here that could be asked: no server runs on this data folder, or it runs no functions.',
      'Run this beside the server that runs functions; with several replicas, on the machine of that one.',
    );
  };

  async function unknown(): Promise<readonly RuntimeVolume[]> {
    try {
      return await engine().unknown();
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error;
      throw refuse(
        'unavailable',
        `The container engine does not answer: ${error.message}`,
        'See whether it runs, and try again.',
      );
    }
  }

  async function find(id: string): Promise<RuntimeVolume> {
    const found = (await unknown()).find(({ name }) => name === id);
    if (found) return found;
    throw refuse(
      'not-found',
      `The container engine holds no volume ${quote(id)} that the database does not know.`,
      'npx gantry admin volume list',
    );
  }

  return {
    async 'volume.list'() {
      const shown: StrayVolume[] = [];
      for (const { name, kind, projectId, createdAt } of await unknown()) {
        const [project] = (await lookup.projectPaths(projectId === undefined ? [] : [projectId]))!;
        const bytes = kind === 'disk' ? await engine().usage(name) : undefined;
        shown.push({
          ...{ id: name, kind },
          ...(project !== undefined && { project }),
          ...(createdAt !== undefined && { createdAt }),
          ...(bytes !== undefined && { bytes }),
        });
      }
      return { volumes: shown };
    },

    async 'volume.adopt'({ volume: id, name }) {
      const { kind, projectId, createdAt } = await find(id);
      if (kind === 'bucket') {
        throw refuse(
          'invalid',
          'A bucket cannot be adopted: its keys are not there any more.',
          'Its objects are in the bucket: make a volume of it anew, with its keys, and remove this one.',
        );
      }
      const [project] = await metadata.projects.findByIds(
        projectId === undefined ? [] : [projectId],
      );
      if (!project) {
        throw refuse(
          'conflict',
          'The project that the volume was made for is not there.',
          `Make a volume in another project, and copy into it what docker has as gantry-${id} (docs/backup.md).`,
        );
      }
      await metadata.writer.run('AdoptVolume', {
        ...{ id, projectId: project.id, name, kind, bucket: undefined, maxBytes: undefined },
        ...{ createdAt: createdAt ?? clock.now(), createdBy: 'operator' },
      });
      return { id, project: pathOf(project), name };
    },

    async 'volume.remove'({ volume: id }) {
      const { projectId } = await find(id);
      await metadata.writer.run('DiscardVolume', { id, projectId, now: clock.now() });
      return { removed: await engine().removed(id) };
    },
  };
}
