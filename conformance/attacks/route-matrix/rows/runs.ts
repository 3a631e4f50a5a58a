import { groups } from '../callers.ts';
import { type Make, type Rows, type Sample, unique } from '../row.ts';
import type { Place } from '../world.ts';

const projectPath = ({ team, project }: Place) => `/teams/${team}/projects/${project}`;

async function volume(place: Place, make: Make): Promise<Sample> {
  const name = unique('volume');
  await make(place, 'POST', `${projectPath(place)}/volumes`, { name, kind: 'disk' });
  return { params: { volume: name } };
}

/** Who may set functions. */
const sets = { at: 'project', may: groups.push } as const;

/** Volumes, invocations and sandboxes. */
export const runRows: Rows = {
  listVolumes: sets,
  createVolume: { ...sets, sample: () => ({ body: { name: unique('volume'), kind: 'disk' } }) },
  getVolume: { ...sets, sample: volume },
  deleteVolume: { ...sets, sample: volume },
};
