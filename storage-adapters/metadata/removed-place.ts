/**
 * Where repositories are from their deletion until their rows are gone: in a project that no name leads to, under
 * their ids. So all that goes by a team, a project or a name knows nothing of them, and their names are free.
 * Slugs never begin with `~`.
 */
export const removedTeam = 'team_removed';
export const removedProject = 'prj_removed';
export const removedSlug = '~removed';
