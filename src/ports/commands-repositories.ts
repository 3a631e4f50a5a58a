/** Writes of the management of repositories, teams and projects. */
// biome-ignore lint/suspicious/noEmptyInterface: commands come
export interface RepositoryCommands {}
