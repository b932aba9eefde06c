"""The door of the clean-up at a pipeline's end; no stage, since it makes nothing."""

from kfp import dsl

from proseform.versions import images


@dsl.component(base_image=images()["pipeline"], install_kfp_package=False)
def cleanup():
    """Delete the training jobs that this pipeline run has left, whatever became of it."""
    from proseform.stages import policy

    policy.cancel()
