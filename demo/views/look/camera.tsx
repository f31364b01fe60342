import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { error } from '../../state/engine.js';
import { useOwnImage } from '../../state/images.js';

/** What a refusal of the camera means, by the name of the exception. */
const REFUSALS: Readonly<Record<string, string>> = {
  NotAllowedError: 'the camera was refused: allow it for this page in the settings of the browser',
  NotFoundError: 'no camera was found',
  NotReadableError: 'the camera is in use by another program',
};

/** Takes an image with the camera, which is on while the dialog is open. */
export function CameraButton() {
  const stream = useSignal<MediaStream | undefined>(undefined);
  const start = async () => {
    try {
      if (!navigator.mediaDevices) throw new Error('the camera needs a page that was loaded over https');
      stream.value = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
    } catch (reason) {
      const { name, message } = reason as Error;
      error.value = REFUSALS[name] ?? message;
    }
  };
  return (
    <>
      <button type="button" onClick={start}>
        Camera
      </button>
      {stream.value && <CameraDialog stream={stream.value} onClose={() => (stream.value = undefined)} />}
    </>
  );
}

function CameraDialog({ stream, onClose }: { readonly stream: MediaStream; readonly onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    if (video.current) video.current.srcObject = stream;
    dialog.current?.showModal();
    return () => {
      for (const track of stream.getTracks()) track.stop();
    };
  }, [stream]);
  const take = async () => {
    if (video.current) useOwnImage(await frameOf(video.current), 'From the camera');
    onClose();
  };
  return (
    <dialog ref={dialog} class="camera" aria-label="Camera" onClose={onClose}>
      <video ref={video} autoplay playsinline muted />
      <p>
        <button type="button" class="primary" onClick={take}>
          Take the image
        </button>
        <button type="button" onClick={() => dialog.current?.close()}>
          Cancel
        </button>
      </p>
    </dialog>
  );
}

/** The current frame of a video, as a file. */
async function frameOf(video: HTMLVideoElement): Promise<Blob> {
  const canvas = document.createElement('canvas');
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext('2d')?.drawImage(video, 0, 0);
  return new Promise((resolve, reject) => {
    const settle = (blob: Blob | null) =>
      blob ? resolve(blob) : reject(new Error('the camera shows no image yet: wait a moment'));
    canvas.toBlob(settle, 'image/png');
  });
}
