"""What SSM, S3 and botocore raise, as errors of ours. Each code and class they have is in the tables.

Two questions are answered here: what an error means, and whether the request behind it may have
arrived all the same. A test walks the service model and botocore's classes, and fails when one is
missing, so that a new version which brings one is noticed.
"""

from enum import StrEnum

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from chalicelib.errors import (
    AuthenticationError,
    BerthError,
    ConnectionLostError,
    HostUnreachableError,
    ShellError,
    TransportSettingError,
)

__all__ = [
    "CLASSES",
    "CODES",
    "FOREIGN",
    "Meaning",
    "code_of",
    "is_passing",
    "may_have_arrived",
    "translated",
]

FOREIGN = (ClientError, BotoCoreError, ResponseParserError)
"""Everything that a call can raise. ResponseParserError (a proxy's HTML) is no BotoCoreError."""


class Meaning(StrEnum):
    """What is to be done about an error."""

    THROTTLED = "throttled"  # nothing was done; send it again, later
    LOST = "lost"  # it may have been done; send it again if that is safe
    UNSENT = "unsent"  # it never left; send it again
    ABSENT = "absent"  # SSM knows no such host, or none that listens
    REFUSED = "refused"  # we may not
    SETTING = "setting"  # somebody who runs this has to act
    REQUEST = "request"  # the request itself is wrong


# The first lists are the service model's, botocore 1.44.5, ssm/2014-11-06: all that SendCommand,
# GetCommandInvocation, CancelCommand and DescribeInstanceInformation declare.
CODES: dict[str, Meaning] = {
    "DuplicateInstanceId": Meaning.REQUEST,
    "InternalServerError": Meaning.LOST,
    "InvalidCommandId": Meaning.REQUEST,
    "InvalidDocument": Meaning.SETTING,
    "InvalidDocumentVersion": Meaning.SETTING,
    "InvalidFilterKey": Meaning.REQUEST,
    "InvalidInstanceId": Meaning.ABSENT,
    "InvalidInstanceInformationFilterValue": Meaning.REQUEST,
    "InvalidNextToken": Meaning.REQUEST,
    "InvalidNotificationConfig": Meaning.SETTING,
    "InvalidOutputFolder": Meaning.SETTING,
    "InvalidParameters": Meaning.REQUEST,
    "InvalidPluginName": Meaning.SETTING,
    "InvalidRole": Meaning.SETTING,
    # Right after SendCommand it is only not there yet: https://github.com/boto/boto3/issues/2701
    "InvocationDoesNotExist": Meaning.LOST,
    "MaxDocumentSizeExceeded": Meaning.REQUEST,
    "UnsupportedPlatformType": Meaning.SETTING,
    # https://docs.aws.amazon.com/systems-manager/latest/APIReference/CommonErrors.html and S3's
    # https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
    "ThrottlingException": Meaning.THROTTLED,
    "Throttling": Meaning.THROTTLED,
    "ThrottledException": Meaning.THROTTLED,
    "RequestThrottled": Meaning.THROTTLED,
    "RequestThrottledException": Meaning.THROTTLED,
    "RequestLimitExceeded": Meaning.THROTTLED,
    "TooManyRequestsException": Meaning.THROTTLED,
    "TooManyUpdates": Meaning.THROTTLED,
    "SlowDown": Meaning.THROTTLED,
    "BandwidthLimitExceeded": Meaning.THROTTLED,
    "InternalFailure": Meaning.LOST,
    "InternalError": Meaning.LOST,
    "ServiceUnavailable": Meaning.LOST,
    "ServiceUnavailableException": Meaning.LOST,
    "RequestTimeout": Meaning.LOST,
    "RequestTimeoutException": Meaning.LOST,
    "OperationAborted": Meaning.LOST,
    "AccessDenied": Meaning.REFUSED,
    "AccessDeniedException": Meaning.REFUSED,
    "NotAuthorized": Meaning.REFUSED,
    "UnauthorizedOperation": Meaning.REFUSED,
    "OptInRequired": Meaning.REFUSED,
    "AuthFailure": Meaning.REFUSED,
    "UnrecognizedClientException": Meaning.REFUSED,
    "InvalidClientTokenId": Meaning.REFUSED,
    "InvalidAccessKeyId": Meaning.REFUSED,
    "InvalidSignatureException": Meaning.REFUSED,
    "SignatureDoesNotMatch": Meaning.REFUSED,
    "IncompleteSignature": Meaning.REFUSED,
    "IncompleteSignatureException": Meaning.REFUSED,
    "MissingAuthenticationToken": Meaning.REFUSED,
    "MissingAuthenticationTokenException": Meaning.REFUSED,
    "ExpiredToken": Meaning.REFUSED,
    "ExpiredTokenException": Meaning.REFUSED,
    "InvalidToken": Meaning.REFUSED,
    "RequestExpired": Meaning.REFUSED,
    "RequestTimeTooSkewed": Meaning.REFUSED,
    "AllAccessDisabled": Meaning.REFUSED,
    "403": Meaning.REFUSED,
    "NoSuchBucket": Meaning.SETTING,
    "NoSuchKey": Meaning.SETTING,
    "PermanentRedirect": Meaning.SETTING,
    "InvalidBucketName": Meaning.SETTING,
    "404": Meaning.SETTING,
    "EntityTooLarge": Meaning.REQUEST,
    "ValidationException": Meaning.REQUEST,
    "ValidationError": Meaning.REQUEST,
    "SerializationException": Meaning.REQUEST,
    "InvalidParameterValue": Meaning.REQUEST,
}


def _classes(meaning: Meaning, names: str) -> dict[str, Meaning]:
    return dict.fromkeys(names.split(), meaning)


# By name: the botocore of a Lambda's runtime may lack some of them.
CLASSES: dict[str, Meaning] = {
    **_classes(
        Meaning.LOST,
        """
        AwsChunkedWrapperError BotoCoreError ChecksumError ConnectionClosedError ConnectionError
        FlexibleChecksumError HTTPClientError IncompleteReadError ReadTimeoutError
        ResponseParserError ResponseStreamingError
        """,
    ),
    **_classes(
        Meaning.UNSENT,
        """
        CapacityNotAvailableError ConnectTimeoutError EndpointConnectionError
        EndpointDiscoveryException EndpointDiscoveryRefreshFailed EndpointDiscoveryRequired
        MetadataRetrievalError ProxyConnectionError SSLError
        """,
    ),
    **_classes(
        Meaning.REFUSED,
        """
        CredentialRetrievalError LoginAuthorizationCodeError LoginError LoginInsufficientPermissions
        LoginRefreshRequired LoginTokenLoadError NoAuthTokenError NoCredentialsError
        PartialCredentialsError RefreshWithMFAUnsupportedError SSOError SSOTokenLoadError
        TokenRetrievalError UnauthorizedSSOTokenError UnknownCredentialError
        UnknownTokenProviderError
        """,
    ),
    **_classes(
        Meaning.SETTING,
        """
        AliasConflictParameterError ApiVersionNotFoundError BaseEndpointResolverError ConfigNotFound
        ConfigParseError DataNotFoundError EndpointProviderError EndpointResolutionError
        EndpointVariantError InfiniteLoopConfigError InvalidChecksumConfigError InvalidConfigError
        InvalidDNSNameError InvalidDefaultsMode InvalidEndpointConfigurationError
        InvalidEndpointDiscoveryConfigurationError InvalidExpressionError InvalidHostLabelError
        InvalidIMDSEndpointError InvalidIMDSEndpointModeError InvalidMaxRetryAttemptsError
        InvalidProxiesConfigError InvalidRegionError InvalidRetryConfigurationError
        InvalidRetryModeError InvalidS3AddressingStyleError
        InvalidS3UsEast1RegionalEndpointConfigError InvalidSTSRegionalEndpointsConfigError
        MD5UnavailableError MissingDependencyException NoRegionError ProfileNotFound
        ServiceNotInRegionError UnknownEndpointError UnknownEndpointResolutionBuiltInName
        UnknownFIPSEndpointError UnknownRegionError UnknownServiceError UnknownServiceStyle
        UnknownSignatureVersionError UnsupportedOutpostResourceError
        UnsupportedS3AccesspointConfigurationError UnsupportedS3ArnError
        UnsupportedS3ConfigurationError UnsupportedS3ControlArnError
        UnsupportedS3ControlConfigurationError UnsupportedServiceProtocolsError
        UnsupportedSignatureVersionError
        """,
    ),
    **_classes(
        Meaning.REQUEST,
        """
        MissingParametersError OperationNotPageableError PaginationError ParamValidationError
        RangeError StubAssertionError StubResponseError UnStubbedResponseError
        UnknownClientMethodError UnknownKeyError UnknownParameterError UnseekableStreamError
        ValidationError WaiterConfigError WaiterError
        """,
    ),
}
"""What each class means; a subclass that is not here means what its nearest base does."""

_SERVER = 500
_BUSY = 429
_PASSING = {Meaning.THROTTLED, Meaning.LOST, Meaning.UNSENT}


def code_of(error: BaseException) -> str:
    """Return the service's code of an error; empty when it is not the service's."""
    if not isinstance(error, ClientError):
        return ""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_passing(error: Exception) -> bool:
    """Return whether the same request may be answered a moment later."""
    return isinstance(error, FOREIGN) and _meaning(error) in _PASSING


def may_have_arrived(error: BaseException) -> bool:
    """Return whether the service may have done what it was asked, and only its answer is missing."""
    return isinstance(error, FOREIGN) and _meaning(error) is Meaning.LOST


def translated(error: Exception, *, host: str, sent: bool) -> BerthError:
    """Return the error of ours for one of `FOREIGN`.

    Args:
        error: what was raised.
        host: the host's name.
        sent: whether a command may be on its way to the host. If not, it is merely unreachable.
    """
    reason = str(error)
    match _meaning(error):
        case Meaning.REFUSED:
            return AuthenticationError(host=host, reason=reason)
        case Meaning.SETTING:
            return TransportSettingError(host=host, reason=reason)
        case Meaning.REQUEST:
            return ShellError(reason=f"Run Command does not take it: {reason}")
        case Meaning.ABSENT:
            return HostUnreachableError(host=host, reason=_absent(reason))
        case Meaning.THROTTLED | Meaning.LOST | Meaning.UNSENT:
            if sent:
                return ConnectionLostError(host=host, reason=reason, may_have_run=True)
            return HostUnreachableError(host=host, reason=reason)


def _absent(reason: str) -> str:
    return f"no managed node that listens: is its agent running, with a role or hybrid activation? {reason}"


def _meaning(error: BaseException) -> Meaning:
    if not isinstance(error, ClientError):
        names = [base.__name__ for base in type(error).__mro__]
        return next((CLASSES[name] for name in names if name in CLASSES), Meaning.LOST)
    found = CODES.get(code_of(error))
    if found is not None:
        return found
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", _SERVER)
    if status == _BUSY:
        return Meaning.THROTTLED
    # A code that is not in the table, from a client's fault: the request will not get better.
    return Meaning.LOST if status >= _SERVER else Meaning.REQUEST
