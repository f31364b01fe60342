import { chooseImage, type DemoImage, image, images } from '../../state/images.js';
import { lookAtFile } from '../../state/look.js';
import { CameraButton } from './camera.js';

/** The images of the page as a group of radio buttons, and ways to add another one. */
export function ImagePicker() {
  const [digits, others] = [true, false].map((isDigit) =>
    images.value.filter(({ kind }) => (kind === 'digit') === isDigit),
  );
  return (
    <fieldset class="picker">
      <legend>Image</legend>
      <Thumbnails of={others} />
      <Thumbnails of={digits} />
      <div class="sources">
        <label class="button">
          Open an image…
          <input
            type="file"
            accept="image/*"
            class="visually-hidden"
            onChange={({ currentTarget }) => {
              const file = currentTarget.files?.[0];
              if (file) lookAtFile(file);
              currentTarget.value = ''; // so that the same file can be chosen again
            }}
          />
        </label>
        <CameraButton />
        <span class="muted">or drop or paste one</span>
      </div>
    </fieldset>
  );
}

function Thumbnails({ of }: { readonly of: readonly DemoImage[] }) {
  return (
    <div class="thumbnails">
      {of.map(({ id, title, kind, url }) => (
        <label key={id} class={kind} title={title}>
          <input
            type="radio"
            name="image"
            class="visually-hidden"
            checked={image.value.id === id}
            onChange={() => chooseImage(id)}
          />
          <img src={url} alt={title} />
        </label>
      ))}
    </div>
  );
}
