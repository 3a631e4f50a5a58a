import { groups } from '../callers.ts';
import type { Rows } from '../row.ts';

export const signInRows: Rows = {
  listIssuedTokens: { at: 'team', may: groups.manageTeam },
  revokeIssuedToken: {
    at: 'team',
    may: groups.manageTeam,
    sample: async (place) => ({ params: { token: await place.exchange() } }),
  },
};
