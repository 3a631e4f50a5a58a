import { groups } from '../callers.ts';
import type { Rows } from '../row.ts';
import type { Place } from '../world.ts';

const question = (place: Place) => ({ repository: place.name, manifest: {} });
const absent = [404, 'the body names a place that is as absent to strangers'] as const;

export const checkRows: Rows = {
  // Who may pull there may ask, and is told that pushing is denied.
  checkImage: {
    ...{ at: 'signed-in', may: groups.pull },
    sample: (place) => ({ body: question(place) }),
    bodies: (other) => [question(other)],
    exceptions: {
      'foreign-admin': absent,
      'foreign-owner': absent,
      'operator-read': absent,
      narrowed: absent,
      operator: absent,
    },
  },
};
