import type { Rows } from '../row.ts';
import { checkRows } from './check.ts';
import { eventRows } from './events.ts';
import { functionRows } from './functions.ts';
import { metaRows } from './meta.ts';
import { peopleRows } from './people.ts';
import { projectRows } from './projects.ts';
import { recordRows } from './records.ts';
import { repositoryRows } from './repositories.ts';
import { runRows } from './runs.ts';
import { signInRows } from './sign-in.ts';
import { uploadRows } from './uploads.ts';

/** Every operation of the API, by operationId: one without a row fails the test, and a row without one. */
export const rows: Rows = {
  ...metaRows,
  ...peopleRows,
  ...projectRows,
  ...signInRows,
  ...repositoryRows,
  ...checkRows,
  ...eventRows,
  ...uploadRows,
  ...runRows,
  ...recordRows,
  ...functionRows,
};
