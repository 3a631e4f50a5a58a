/** What a volume's sealed keys are bound to. */
export const volumeContext = (id: string): string => `volume:${id}`;
