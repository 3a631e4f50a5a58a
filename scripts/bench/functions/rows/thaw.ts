import type { FunctionsRow } from '../rig.ts';

/** Requests come in bursts with pauses in which the instance is frozen; none may fail. */
export const thawRow: FunctionsRow = {
  name: 'thaw-load',
  title: 'Requests while instances are frozen and thawed',
  async run(rig) {
    const { thawRequests } = rig.order.scale;
    const host = rig.order.hosts.frozen;
    let failed = 0;
    let thawed = 0;
    let first = '';
    const oneClient = async (count: number) => {
      for (let at = 0; at < count; at += 1) {
        try {
          const { status, headers, body } = await rig.ask(rig.order.origin, '/', {
            host,
            agent: rig.kept,
          });
          if (headers['server-timing']) thawed += 1;
          if (status === 200) continue;
          failed += 1;
          first ||= `${status} ${body}`;
        } catch (error) {
          failed += 1;
          first ||= String(error);
        }
      }
    };
    // 400 to a burst by 8 clients, then longer than it takes to freeze, and sometimes just about as long.
    for (let sent = 0, round = 0; sent < thawRequests; sent += 400, round += 1) {
      await Promise.all(Array.from({ length: 8 }, () => oneClient(50)));
      await new Promise((resolve) => setTimeout(resolve, 180 + (round % 10) * 10));
    }
    return {
      figures: [
        {
          what: 'failed',
          unit: `of ${thawRequests.toLocaleString('en-US')}`,
          gantry: failed,
          peer: undefined,
          goal: { of: 'own', is: '≤', value: 0 },
        },
        { what: 'answers that waited for a thaw', unit: '', gantry: thawed, peer: undefined },
      ],
      notes: first === '' ? [] : [first],
    };
  },
};
