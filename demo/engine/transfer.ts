/** What Comlink does not carry by itself: a signal. Imported on both sides. */
import { transferHandlers } from 'comlink';

transferHandlers.set('signal', {
  canHandle: (value): value is AbortSignal => value instanceof AbortSignal,
  serialize(signal: AbortSignal): [MessagePort, Transferable[]] {
    const { port1, port2 } = new MessageChannel();
    const abort = () => port1.postMessage(undefined);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    return [port2, [port2]];
  },
  deserialize(port: MessagePort): AbortSignal {
    const controller = new AbortController();
    port.onmessage = () => controller.abort();
    return controller.signal;
  },
});
