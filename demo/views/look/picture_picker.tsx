import { lookAtFile } from '../../state/look.js';
import { choosePicture, picture, pictures } from '../../state/pictures.js';
import { CameraButton } from './camera.js';

/** The pictures of the page as a group of radio buttons, and ways to another one. */
export function PicturePicker() {
  return (
    <fieldset class="picker">
      <legend>Picture</legend>
      <div class="thumbnails">
        {pictures.value.map(({ id, title, kind, url }) => (
          <label key={id} class={kind} title={title}>
            <input
              type="radio"
              name="picture"
              class="visually-hidden"
              checked={picture.value.id === id}
              onChange={() => choosePicture(id)}
            />
            <img src={url} alt={title} />
          </label>
        ))}
      </div>
      <div class="sources">
        <label class="button">
          Open a picture…
          <input
            type="file"
            accept="image/*"
            class="visually-hidden"
            onChange={({ currentTarget }) => {
              const file = currentTarget.files?.[0];
              if (file) lookAtFile(file);
              currentTarget.value = ''; // the same file may be chosen again
            }}
          />
        </label>
        <CameraButton />
        <span class="muted">or drop or paste one</span>
      </div>
    </fieldset>
  );
}
