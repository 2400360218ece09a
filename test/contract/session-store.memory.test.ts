import { memoryStore } from '../../src/broker/ports.ts';
import { sessionStoreContract } from './session-store.ts';

sessionStoreContract('memory', async () => ({
  store: memoryStore,
  reopen: async () => ({ store: memoryStore, state: { sessions: [], retained: [] } }),
}));
